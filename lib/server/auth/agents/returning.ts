import type { App } from "../../../wire/mod.ts";
import type { StoredAgent } from "../../store/mod.ts";

/** So long an agent that has gone may be about to come back: it restarts, or its network does. */
const GONE_MS = 30_000;
/** So long its apps are listed as if it were there: names shall not vanish and come back. */
const LISTED_MS = 5_000;
/** So long after the start the agents that were there before it may be on their way. */
const START_MS = 10_000;
/** Who was seen this long before the start was there when the server ended: all are noted every ten minutes. */
const SEEN_MS = 15 * 60_000;
const MAX_GONE = 50_000;

interface Gone {
  readonly app: App;
  readonly agentId: string;
  readonly goneMs: number;
}

/** Agents that were there a moment ago: whoever wants one of their apps waits for them. */
export class Returning {
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  /** By app id, the latest last. */
  readonly #gone = new Map<string, Gone>();
  /** The apps, by name, of agents that were there before the start, and were not since. */
  readonly #before = new Map<string, readonly string[]>();
  readonly #allBack = Promise.withResolvers<void>();

  /** @param known The agents that have joined. */
  constructor(nowMs: () => number, known: readonly StoredAgent[] = []) {
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
    for (const { id, apps, renewedMs, seenMs } of known) {
      const lastMs = Math.max(seenMs ?? 0, renewedMs);
      if (lastMs > this.#startedMs - SEEN_MS) this.#before.set(id, apps);
    }
    this.#settle();
  }

  /** Resolves when every agent that was there before the start has come, or will not. */
  get allBack(): Promise<void> {
    return this.#allBack.promise;
  }

  /** The last agent of an app has gone. */
  gone(app: App, agentId: string): void {
    this.#gone.delete(app.app_id);
    this.#gone.set(app.app_id, { app, agentId, goneMs: this.#nowMs() });
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }

  /** An agent is there and says itself what it serves, or nobody waits for it any more. */
  forget(agentId: string): void {
    for (const [id, gone] of this.#gone) if (gone.agentId === agentId) this.#gone.delete(id);
    if (this.#before.delete(agentId)) this.#settle();
  }

  /** An app is served again. */
  served(appId: string): void {
    this.#gone.delete(appId);
  }

  /** The apps that nobody serves at the moment and that are listed all the same. */
  listed(): readonly App[] {
    return this.#within(LISTED_MS).map(({ app }) => app);
  }

  /** An app whose agent may be about to come back, as it was served. */
  find(appId: string): App | null {
    return this.#within(GONE_MS).find(({ app }) => app.app_id === appId)?.app ?? null;
  }

  /** The names of the apps whose agents were there before the start and may be on their way. */
  get missed(): readonly string[] {
    return this.isStarting ? [...this.#before.values()].flat() : [];
  }

  /** Whether agents that were there before the start may be on their way. */
  get isStarting(): boolean {
    return this.#before.size > 0 && this.#nowMs() < this.#startedMs + START_MS;
  }

  #within(ms: number): readonly Gone[] {
    const sinceMs = this.#nowMs() - ms;
    return [...this.#gone.values()].filter(({ goneMs }) => goneMs > sinceMs);
  }

  #settle(): void {
    if (this.#before.size === 0) this.#allBack.resolve();
  }
}
