import { orAborted, withDeadline } from "../../wait.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
/** 130 bits: nobody guesses one in ten seconds. */
const TICKET_LETTERS = 26;

/** A data channel in the hands of whoever asked for it. */
export interface DataChannel {
  readonly conn: Deno.Conn;
  /** Gives it back to whoever accepted it, who closes it. */
  release(): void;
}

/** Where a client's connection waits for the data channel that an agent opens for it. */
export class Rendezvous {
  readonly #waiting = new Map<string, PromiseWithResolvers<DataChannel>>();

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Has an agent asked, and waits for its data channel.
   *
   * @param ask Sends the ticket to the agent.
   * @throws {DeadlinePassed} when it did not come in time; whatever {@link refuse} was given.
   */
  async arrange(
    ask: (ticket: string) => void,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<DataChannel> {
    const ticket = Array.from(
      crypto.getRandomValues(new Uint8Array(TICKET_LETTERS)),
      (byte) => ALPHABET[byte & 31],
    ).join("");
    const waiting = Promise.withResolvers<DataChannel>();
    waiting.promise.catch(() => {});
    this.#waiting.set(ticket, waiting);
    try {
      ask(ticket);
      return await withDeadline(timeoutMs, signal, (signal) => orAborted(waiting.promise, signal));
    } catch (thrown) {
      // It may have come at the very moment that time was up.
      if (!this.#waiting.has(ticket)) {
        waiting.promise.then((channel) => channel.release(), () => {});
      }
      throw thrown;
    } finally {
      this.#waiting.delete(ticket);
    }
  }

  /** Lends a data channel to whoever waits for it, until they release it; at once if nobody does (any more). */
  async claim(ticket: string, conn: Deno.Conn): Promise<void> {
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined) return;
    this.#waiting.delete(ticket);
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.resolve({ conn, release: resolve });
    await promise;
  }

  /** The agent cannot open the data channel. */
  refuse(ticket: string, error: Error): void {
    this.#waiting.get(ticket)?.reject(error);
    this.#waiting.delete(ticket);
  }
}
