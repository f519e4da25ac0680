import { getLogger } from "../../log.ts";
import type { TicketHolder } from "../auth/mod.ts";

const log = getLogger("server", "proxy");

/**
 * What an agent has to cut a locked out user's flows itself: then the program learns of it by a reset and the end is
 * recorded. Whatever is left after it is cut here.
 */
const GRACE_MS = 3_000;

/** One client's connection to an app, and whom it is carried by. */
export interface AppRelay extends Disposable {
  readonly holder: TicketHolder;
  /** Who carries it; `null` while nobody does. */
  agentId: string | null;
  /** Fires when it may not go on. */
  readonly cut: AbortSignal;
}

/** The connections to apps that the proxy carries, so that they can be cut. */
export class AppRelays {
  readonly #open = new Set<Relay>();
  /** How many times anybody was shut out. */
  #cuts = 0;
  #isClosed = false;

  get size(): number {
    return this.#open.size;
  }

  /**
   * Judges a ticket and keeps count of the connection it lets in, with no moment between in which a lock goes by.
   *
   * @returns `null` if the ticket is refused.
   */
  async admit(judge: () => Promise<TicketHolder | null>): Promise<AppRelay | null> {
    for (;;) {
      const cuts = this.#cuts;
      const holder = await judge();
      if (holder === null) return null;
      if (cuts !== this.#cuts) continue;
      const relay: Relay = new Relay(holder, () => this.#open.delete(relay));
      if (this.#isClosed) relay.end("shutting down");
      this.#open.add(relay);
      return relay;
    }
  }

  /** Cuts whatever may not go on, once the agent had time to. @returns What that is. */
  review(mayGoOn: (holder: TicketHolder) => boolean): readonly AppRelay[] {
    this.#cuts++;
    const ending = [...this.#open].filter(({ holder }) => !mayGoOn(holder));
    for (const relay of ending) relay.endAfter(GRACE_MS, "no longer allowed");
    return ending;
  }

  /** What is carried for an app session, or for all of a login. */
  of(sessionId: string): readonly AppRelay[] {
    return [...this.#open].filter(({ holder }) =>
      holder.sessionId === sessionId || holder.loginId === sessionId
    );
  }

  /** Cuts whatever an agent carries. @returns How much that was. */
  cutAgent(agentId: string, reason: string): number {
    this.#cuts++;
    const carried = [...this.#open].filter((relay) => relay.agentId === agentId);
    for (const relay of carried) relay.end(reason);
    return carried.length;
  }

  /** Cuts whatever is held so, at once. */
  cut(isMeant: (holder: TicketHolder) => boolean, reason: string): void {
    this.#cuts++;
    for (const relay of this.#open) if (isMeant(relay.holder)) relay.end(reason);
  }

  /** Cuts everything, and what is still to come. */
  close(): void {
    this.#isClosed = true;
    for (const relay of this.#open) relay.end("shutting down");
  }
}

class Relay implements AppRelay {
  readonly holder: TicketHolder;
  readonly #cut = new AbortController();
  readonly #onClose: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  agentId: string | null = null;

  constructor(holder: TicketHolder, onClose: () => void) {
    this.holder = holder;
    this.#onClose = onClose;
  }

  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  end(reason: string): void {
    if (this.#cut.signal.aborted) return;
    log.info("Cut a connection", { app: this.holder.app, reason });
    this.#cut.abort(new Error(`The connection is cut: ${reason}`));
  }

  endAfter(ms: number, reason: string): void {
    this.#timer ??= setTimeout(() => this.end(reason), ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#onClose();
  }
}
