/**
 * Waiting for conditions, never for time: a condition is looked at until it holds or its deadline passes.
 *
 * @module
 */

const LOOK_AGAIN_MS = 15;

/**
 * Waits until `look` gives something.
 *
 * @param what The condition in words, for the error.
 * @returns What `look` gave: anything but `null`, `undefined` and `false`.
 * @throws Error When the deadline passes first.
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  while (true) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`Not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** Waits for a promise, but not longer than the deadline. */
export async function within<T>(what: string, deadlineMs: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Not within ${deadlineMs} ms: ${what}`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
