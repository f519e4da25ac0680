/**
 * Several ways to the same thing, tried one after the other: the next begins when one has failed, or when the last one
 * begun is silent for a while. The first that succeeds is taken, and all others are given up.
 *
 * @module
 * @see RFC 8305 section 5
 */
import { pause } from "../../wait.ts";

interface InTurnOptions<T> {
  /** How long an attempt may be silent before the next begins beside it. */
  readonly delayMs: number;
  /** Ends every attempt; sets the one deadline of all. */
  readonly signal: AbortSignal;
  /** Gets what succeeded too late. */
  readonly discard: (late: T) => void;
  /** How it waits; by the clock if not given. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Every attempt has failed. */
export class AllFailed extends Error {
  override readonly name = "AllFailed";
  /** What each threw, in the order of the attempts. */
  readonly errors: readonly unknown[];

  constructor(errors: readonly unknown[]) {
    super("Every attempt failed", { cause: errors[0] });
    this.errors = errors;
  }
}

/**
 * Tries in turn.
 *
 * @returns What succeeded first, and which it was.
 * @throws {AllFailed} when each has failed; the signal's reason when it is aborted.
 */
export async function inTurn<T>(
  attempts: readonly ((signal: AbortSignal) => Promise<T>)[],
  { delayMs, signal, discard, wait = pause }: InTurnOptions<T>,
): Promise<{ readonly value: T; readonly index: number }> {
  signal.throwIfAborted();
  const over = new AbortController();
  const abort = () => over.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const errors: unknown[] = [];
  const won = Promise.withResolvers<{ readonly value: T; readonly index: number } | null>();
  let failed = 0;
  let isWon = false;
  let hurry = new AbortController();

  const begin = async (index: number) => {
    try {
      const value = await attempts[index]!(over.signal);
      if (isWon || over.signal.aborted) return discard(value);
      isWon = true;
      won.resolve({ value, index });
    } catch (thrown) {
      errors[index] = thrown;
      hurry.abort();
      if (++failed === attempts.length) won.resolve(null);
    }
  };
  const beginAll = async () => {
    for (let index = 0; index < attempts.length; index++) {
      hurry = new AbortController();
      const silence = AbortSignal.any([hurry.signal, over.signal]);
      void begin(index);
      if (index + 1 < attempts.length) await wait(delayMs, silence);
      if (over.signal.aborted) return;
    }
  };

  over.signal.addEventListener("abort", () => won.resolve(null), { once: true });
  if (attempts.length === 0) won.resolve(null);
  try {
    void beginAll();
    const winner = await won.promise;
    if (winner !== null) return winner;
    signal.throwIfAborted();
    throw new AllFailed(errors);
  } finally {
    signal.removeEventListener("abort", abort);
    over.abort(); // whoever is still trying
  }
}
