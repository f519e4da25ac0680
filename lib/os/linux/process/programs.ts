/**
 * Which program a socket belongs to, from /proc.
 *
 * @module
 * @see proc(5)
 */
import type { SocketOwner } from "../../machine.ts";

/** How far a search goes: others decide how many processes and descriptors there are. */
const MAX_PROCESSES = 4096;
const MAX_DESCRIPTORS = 1024;

/**
 * Finds the file of a program that has a socket. The newest processes are looked at first.
 *
 * @param signal Ends the search early, with nothing found.
 * @returns The path as the kernel has it, or `null` if no process of the owner that may be looked into has it.
 */
export async function findProgram(
  owner: SocketOwner,
  signal: AbortSignal,
  procDir = "/proc",
): Promise<string | null> {
  const link = `socket:[${owner.inode}]`;
  for (const pid of (await processes(procDir)).slice(0, MAX_PROCESSES)) {
    if (signal.aborted) return null;
    const dir = `${procDir}/${pid}`;
    if (await ownerOf(dir) !== owner.uid || !await hasLink(`${dir}/fd`, link, signal)) continue;
    return await Deno.readLink(`${dir}/exe`).catch(() => null);
  }
  return null;
}

async function processes(procDir: string): Promise<number[]> {
  const pids: number[] = [];
  for await (const { name } of Deno.readDir(procDir)) {
    if (/^[0-9]+$/.test(name)) pids.push(Number(name));
  }
  return pids.sort((a, b) => b - a);
}

/** Whose a process is; `null` once it is gone. */
async function ownerOf(dir: string): Promise<number | null> {
  const stat = await Deno.stat(dir).catch(() => null);
  return stat?.uid ?? null;
}

async function hasLink(dir: string, wanted: string, signal: AbortSignal): Promise<boolean> {
  let seen = 0;
  try {
    for await (const { name } of Deno.readDir(dir)) {
      if (signal.aborted || ++seen > MAX_DESCRIPTORS) return false;
      if (await Deno.readLink(`${dir}/${name}`).catch(() => null) === wanted) return true;
    }
  } catch {
    // It ended meanwhile, or may not be looked into.
  }
  return false;
}
