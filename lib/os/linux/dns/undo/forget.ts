/**
 * Removing the journal itself, once there is nothing to undo.
 *
 * @module
 */
import { Disk } from "./disk.ts";
import { Journal } from "./journal.ts";

/**
 * Removes the journal's files. What still has to be undone stays, and so does what a running vnet owns.
 *
 * @returns The paths that were removed, or `null` when they are in use.
 * @throws OsError `dns-journal-unwritable`
 */
export async function forgetJournal(directory: string): Promise<string[] | null> {
  if (!await isDirectory(directory)) return [];
  using journal = new Journal(directory, new Disk());
  const wasThere = await isThere(journal.lockPath);
  if (!await journal.own() || await journal.read() !== null) return null;
  const removed: string[] = [];
  for (const path of [`${journal.path}.bad`, journal.lockPath]) {
    if (!await isThere(path)) continue;
    await Deno.remove(path);
    if (path !== journal.lockPath || wasThere) removed.push(path);
  }
  return removed;
}

async function isDirectory(path: string): Promise<boolean> {
  return await Deno.lstat(path).then((found) => found.isDirectory, () => false);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
