/**
 * Waiting: for so long, until a signal fires, or until a deadline. For adapters and shells; pure code is told the time.
 *
 * @module
 */

/** What a wait with a deadline throws when time is up; callers turn it into an error of their own. */
export class DeadlinePassed extends Error {
  override readonly name = "DeadlinePassed";
}

/**
 * Gives an act a signal that fires when the caller's does, or when time is up. No timer outlives the act.
 *
 * @throws {DeadlinePassed} when time was up first, whatever the act threw because of it.
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | null,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  let passed: DeadlinePassed | null = null;
  const cancel = () => own.abort(signal?.reason);
  const timer = setTimeout(() => {
    passed = new DeadlinePassed(`Not done within ${ms} ms`);
    own.abort(passed);
  }, ms);
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await act(own.signal);
  } catch (thrown) {
    if (passed !== null) throw passed;
    throw thrown;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

/** Waits for a promise no longer than until the signal fires; the promise itself is not cancelled. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Waits, or less if the signal fires. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", done, { once: true });
  return promise;
}

/** Waits until the signal fires. Never rejects. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
