/**
 * Waiting for a descriptor off the JavaScript thread, so that `close()` and an `AbortSignal` end the wait.
 *
 * @module
 */
import { closeFd, ensure, osError, type Shim } from "./shim.ts";

/** What a wait is for, as `vnet_wait` numbers them. */
export const READABLE = 1;
export const WRITABLE = 2;

const ECANCELED = 125;
const ACT = { act: "wait for a descriptor", call: "poll", code: "wait-failed" } as const;

/**
 * The waits on one descriptor. Each runs on a thread of the pool; `close()` ends them all and returns when
 * the last has, so that the descriptor may be closed afterwards.
 */
export class Waiter {
  readonly #shim: Shim;
  readonly #fd: number;
  readonly #wakes = new Map<number, Promise<number>>();
  /** Those woken by a signal: an eventfd stays awake. */
  readonly #woken = new Set<number>();
  #spare: number | null = null;
  #closed = false;

  constructor(shim: Shim, fd: number) {
    this.#shim = shim;
    this.#fd = fd;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Waits until the descriptor is ready.
   *
   * @param events `READABLE`, `WRITABLE` or their sum.
   * @returns Whether it is ready; false once closed.
   * @throws The signal's reason when it is aborted; {OsError} if the descriptor cannot be waited for.
   */
  async wait(events: number, signal?: AbortSignal): Promise<boolean> {
    const { symbols } = this.#shim;
    const result = await this.waitBy(
      (wake) => symbols.vnet_wait(this.#fd, events, wake, -1),
      signal,
    );
    if (result === null) return false;
    if (result < 0) throw osError(this.#shim, -result, ACT);
    return true;
  }

  /**
   * Waits by another call of the shim.
   *
   * @param call Waits off the JavaScript thread until the eventfd it is given wakes it, and then says -ECANCELED.
   * @returns What the call returned; `null` once closed.
   * @throws The signal's reason when it is aborted.
   */
  async waitBy(
    call: (wake: number) => Promise<number>,
    signal?: AbortSignal,
  ): Promise<number | null> {
    signal?.throwIfAborted();
    if (this.#closed) return null;
    const wake = this.#takeWake();
    const ready = call(wake);
    const onAbort = () => {
      this.#woken.add(wake);
      this.#shim.symbols.vnet_wake(wake);
    };
    this.#wakes.set(wake, ready);
    signal?.addEventListener("abort", onAbort, { once: true });
    let result: number;
    try {
      result = await ready;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#wakes.delete(wake);
      this.#putWake(wake);
    }
    signal?.throwIfAborted();
    return this.#closed || result === -ECANCELED ? null : result;
  }

  /** Ends every wait; they return false. */
  async close(): Promise<void> {
    this.#closed = true;
    const pending = [...this.#wakes];
    for (const [wake] of pending) this.#shim.symbols.vnet_wake(wake);
    await Promise.allSettled(pending.map(([, ready]) => ready));
    if (this.#spare !== null) closeFd(this.#shim, this.#spare);
    this.#spare = null;
  }

  #takeWake(): number {
    const spare = this.#spare;
    this.#spare = null;
    return spare ?? ensure(this.#shim, this.#shim.symbols.vnet_wake_open(), ACT);
  }

  /** Keeps one that nobody has woken for the next wait: a busy socket waits thousands of times a second. */
  #putWake(wake: number): void {
    if (!this.#woken.delete(wake) && !this.#closed && this.#spare === null) this.#spare = wake;
    else closeFd(this.#shim, wake);
  }
}
