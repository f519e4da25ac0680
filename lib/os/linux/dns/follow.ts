/**
 * Following files that others replace, rewrite, link and remove.
 *
 * @module
 * @see inotify(7)
 */
import { dirname } from "node:path/posix";

/**
 * Calls `poke` when one of the files may have changed. What is watched is asked for again after every change,
 * because a link may lead somewhere else by then.
 */
export async function followPaths(
  paths: () => readonly string[],
  poke: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const files = paths();
    const watched = await existing(files);
    using watcher = Deno.watchFs([...watched], { recursive: false });
    const stop = () => watcher.close();
    signal.addEventListener("abort", stop);
    try {
      if (signal.aborted) return;
      // A change between looking and watching has no event.
      poke();
      for await (const event of watcher) {
        if (event.kind === "access") continue;
        if (!event.paths.some((path) => files.some((file) => isAtOrBelow(file, path)))) continue;
        poke();
        if (!same(watched, await existing(paths()))) break;
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

/**
 * What to watch for a set of files: their directories, which see them replaced; the files themselves, which
 * alone see a bind mount written; and for what is not there, the nearest directory that is.
 */
async function existing(files: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const file of files) {
    if (await isThere(file)) found.add(file);
    let directory = dirname(file);
    while (directory !== "/" && !await isThere(directory)) directory = dirname(directory);
    found.add(directory);
  }
  return found;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

function isAtOrBelow(file: string, path: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}

function same(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((path) => b.has(path));
}
