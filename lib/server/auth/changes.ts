import { refusal } from "./api/refusals.ts";

/** Long polls one peer may hold at a time, and all of them together. */
const MAX_WAITING_EACH = 8;
const MAX_WAITING = 20_000;

/** Counts changes of what clients and agents are told, and wakes those who wait for one. */
export class Changes {
  #revision = 0;
  #waiting = 0;
  readonly #wakers = new Set<() => void>();
  readonly #places = new Map<string, number>();
  readonly #closed = new AbortController();

  revision(): number {
    return this.#revision;
  }

  /** Fires when nobody may wait any longer. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Something changed. */
  notify(): void {
    this.#revision++;
    const wakers = [...this.#wakers];
    this.#wakers.clear();
    for (const wake of wakers) wake();
  }

  /** Waits until the revision is another than `since`, or the signal fires. Never rejects. */
  after(since: number, signal: AbortSignal): Promise<void> {
    if (this.#revision !== since || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  /**
   * Takes a place among those who wait; `closed` fires when nobody may wait any longer.
   *
   * @throws {AuthError} `rate-limited` when a peer holds too many, `busy` when all places are taken.
   */
  enter(key: string): { readonly closed: AbortSignal; [Symbol.dispose](): void } {
    const held = this.#places.get(key) ?? 0;
    if (held >= MAX_WAITING_EACH) {
      throw refusal("rate-limited", { message: "Too many requests of this peer wait already" });
    }
    if (this.#waiting >= MAX_WAITING) {
      throw refusal("busy", { message: "Too many requests wait already" });
    }
    this.#places.set(key, held + 1);
    this.#waiting++;
    return {
      closed: this.#closed.signal,
      [Symbol.dispose]: () => {
        this.#waiting--;
        const left = (this.#places.get(key) ?? 1) - 1;
        if (left === 0) this.#places.delete(key);
        else this.#places.set(key, left);
      },
    };
  }

  /** Sends everybody who waits home. */
  close(): void {
    this.#closed.abort();
    this.notify();
  }
}
