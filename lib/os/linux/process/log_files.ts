/**
 * Keeps files that other processes append to from growing for ever: what is too much goes into one old file.
 *
 * @module
 */

/** How much of a log there is at most, twice: in the file and in the old one. */
const LOG_LIMIT_BYTES = 4 * 1024 * 1024;

/** Whoever logs much logs more in a moment. */
const SETTLE_MS = 200;

const OLD_MODE = 0o640;

/**
 * Moves what a log holds into its old file when it is too much, and empties it. Its writers need not know: they
 * append. A line that is written meanwhile may be lost. Links are not followed.
 *
 * @returns Whether it was too much.
 */
export async function trimLog(path: string, limitBytes = LOG_LIMIT_BYTES): Promise<boolean> {
  const found = await Deno.lstat(path).catch(ignoreMissing);
  if (found === null || !found.isFile || found.size <= limitBytes) return false;
  using file = await Deno.open(path, { read: true, write: true });
  const opened = await file.stat();
  if (opened.ino !== found.ino || opened.dev !== found.dev) return false;
  const tail = await readTail(file, opened.size, limitBytes);
  await replaceOld(`${path}.1`, tail);
  await file.truncate(0);
  return true;
}

/** Trims logs whenever they grow, until the signal aborts. They must be there already. */
export async function keepLogs(
  paths: readonly string[],
  signal: AbortSignal,
  limitBytes = LOG_LIMIT_BYTES,
): Promise<void> {
  if (paths.length === 0 || signal.aborted) return;
  const watcher = Deno.watchFs([...paths]);
  const close = () => watcher.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    for (const path of paths) await trimLog(path, limitBytes);
    for await (const _event of watcher) {
      for (const path of paths) await trimLog(path, limitBytes);
      await settle(signal);
    }
  } finally {
    signal.removeEventListener("abort", close);
    if (!signal.aborted) close();
  }
}

/** Reads the last whole lines. */
async function readTail(
  file: Deno.FsFile,
  sizeBytes: number,
  limitBytes: number,
): Promise<Uint8Array> {
  await file.seek(Math.max(0, sizeBytes - limitBytes), Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.min(sizeBytes, limitBytes));
  let read = 0;
  while (read < bytes.length) {
    const count = await file.read(bytes.subarray(read));
    if (count === null) break;
    read += count;
  }
  const whole = sizeBytes > limitBytes ? bytes.indexOf(0x0a) + 1 : 0;
  return bytes.subarray(whole, read);
}

async function replaceOld(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  await Deno.remove(temporary).catch(ignoreMissing);
  {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
  await Deno.chmod(temporary, OLD_MODE);
  await Deno.rename(temporary, path);
}

function settle(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, SETTLE_MS);
    signal.addEventListener("abort", done);
  });
}

function ignoreMissing(thrown: unknown): null {
  if (thrown instanceof Deno.errors.NotFound) return null;
  throw thrown;
}
