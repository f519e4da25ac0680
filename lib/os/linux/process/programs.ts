/**
 * Which program a socket belongs to, from /proc.
 *
 * @module
 * @see proc(5)
 */
import type { SocketHolder, SocketOwner } from "../../machine.ts";

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
  { uid, inode }: SocketOwner,
  signal: AbortSignal,
  procDir = "/proc",
): Promise<string | null> {
  const found = await findHolders({ uid, inodes: [inode], first: [] }, signal, procDir);
  return found.get(inode)?.program ?? null;
}

/** Sockets of one user, to find their processes in one walk. */
interface HolderQuery {
  readonly uid: number;
  readonly inodes: readonly number[];
  /** Processes that are likely to have them: they are looked at before all others. */
  readonly first: readonly number[];
}

/**
 * Finds the processes that have some sockets, all in one walk.
 *
 * @returns By inode those that were found before the signal fired. The program is its file, or its name where that
 * cannot be read.
 */
export async function findHolders(
  { uid, inodes, first }: HolderQuery,
  signal: AbortSignal,
  procDir = "/proc",
): Promise<ReadonlyMap<number, SocketHolder>> {
  const wanted = new Map(inodes.map((inode) => [`socket:[${inode}]`, inode]));
  const found = new Map<number, SocketHolder>();
  for await (const pid of candidates(procDir, first)) {
    if (signal.aborted || wanted.size === 0) break;
    const dir = `${procDir}/${pid}`;
    if (await ownerOf(dir) !== uid) continue;
    const links = await linksOf(`${dir}/fd`, wanted, signal);
    if (links.length === 0) continue;
    const program = await programOf(dir);
    for (const link of links) {
      const inode = wanted.get(link);
      wanted.delete(link);
      if (inode !== undefined) found.set(inode, { pid, program });
    }
  }
  return found;
}

/** The likely ones, then the newest; none twice. */
async function* candidates(procDir: string, first: readonly number[]): AsyncGenerator<number> {
  yield* first;
  const likely = new Set(first);
  for (const pid of (await processes(procDir)).slice(0, MAX_PROCESSES)) {
    if (!likely.has(pid)) yield pid;
  }
}

async function programOf(dir: string): Promise<string | null> {
  const path = await Deno.readLink(`${dir}/exe`).catch(() => null);
  if (path !== null) return path;
  const name = await Deno.readTextFile(`${dir}/comm`).catch(() => null);
  return name && name.trimEnd();
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

/** Which of the wanted links a process has among its descriptors. */
async function linksOf(
  dir: string,
  wanted: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const links: string[] = [];
  let seen = 0;
  try {
    for await (const { name } of Deno.readDir(dir)) {
      if (signal.aborted || ++seen > MAX_DESCRIPTORS || links.length === wanted.size) break;
      const link = await Deno.readLink(`${dir}/${name}`).catch(() => null);
      if (link !== null && wanted.has(link) && !links.includes(link)) links.push(link);
    }
  } catch {
    // It ended meanwhile, or may not be looked into.
  }
  return links;
}
