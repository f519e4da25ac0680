/**
 * What the journal has to undo, seen from outside.
 *
 * @module
 */
import type { JournalFacts } from "../../../health/mod.ts";
import { journalFiles } from "../../journal_files.ts";

/** Looks whether there is something to undo, and whether a living process will. */
export async function readJournal(directory: string): Promise<JournalFacts> {
  const { entry, lock } = journalFiles(directory);
  return {
    path: entry,
    hasEntry: await inodeOf(entry) !== null,
    isOwned: await isLocked(lock),
  };
}

/** @returns `null` where the kernel does not tell. */
async function isLocked(path: string): Promise<boolean | null> {
  const inode = await inodeOf(path);
  if (inode === null) return false;
  const locks = await Deno.readTextFile("/proc/locks").catch(() => null);
  return locks === null ? null : listsFlock(locks, inode);
}

/**
 * Finds the lock of a whole file in the kernel's table, by the file's inode.
 *
 * @see proc_locks(5): another namespace's locks are not listed
 */
export function listsFlock(table: string, inode: number): boolean {
  const ofInode = new RegExp(`:${inode} `);
  return table.split("\n").some((line) => /\bFLOCK\b/.test(line) && ofInode.test(line));
}

async function inodeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).ino;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}
