/**
 * Looks for bytes in the memory of a running process.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const CHUNK_BYTES = 1 << 20;

/**
 * Tells whether any of the needles is in a process's writable memory.
 *
 * @param pid As this machine counts.
 */
export async function remembers(pid: number, needles: readonly Uint8Array[]): Promise<boolean> {
  using memory = await Deno.open(`/proc/${pid}/mem`);
  const overlap = Math.max(...needles.map((needle) => needle.length));
  for (const [start, end] of await residentRegions(pid)) {
    for (let at = start; at < end; at += CHUNK_BYTES) {
      const size = Math.min(CHUNK_BYTES + overlap, end - at);
      const chunk = await readAt(memory, at, size);
      if (needles.some((needle) => chunk.indexOf(needle) >= 0)) return true;
    }
  }
  return false;
}

/** The writable regions of which anything is in memory. */
async function residentRegions(pid: number): Promise<[start: number, end: number][]> {
  const regions: [number, number][] = [];
  let current: [number, number] | null = null;
  for (const line of (await Deno.readTextFile(`/proc/${pid}/smaps`)).split("\n")) {
    const region = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (region !== null) current = [parseInt(region[1]!, 16), parseInt(region[2]!, 16)];
    else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) current = null;
    const resident = /^Rss:\s+(\d+) kB/.exec(line);
    if (resident !== null && resident[1] !== "0" && current !== null) regions.push(current);
  }
  return regions;
}

async function readAt(memory: Deno.FsFile, at: number, size: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  await memory.seek(at, Deno.SeekMode.Start);
  try {
    const count = await memory.read(buffer);
    return buffer.subarray(0, count ?? 0);
  } catch {
    return Buffer.alloc(0); // The region went away, or the kernel keeps it to itself.
  }
}
