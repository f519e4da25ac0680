/**
 * What system this is.
 *
 * @module
 * @see os-release(5)
 */

/** What lies where, in which kind of container or virtual Linux. */
const SIGNS: readonly (readonly [path: string, kind: string])[] = [
  ["/.dockerenv", "docker"],
  ["/run/.containerenv", "podman"],
  ["/proc/sys/fs/binfmt_misc/WSLInterop", "wsl"],
];

/** The system's own name for itself; `null` where it has none. */
export async function findDistribution(): Promise<string | null> {
  return parseDistribution(await Deno.readTextFile("/etc/os-release").catch(() => ""));
}

export function parseDistribution(release: string): string | null {
  return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(release)?.[1] ?? null;
}

/** @returns What kind of container or virtual Linux this is; `null` as far as none shows. */
export async function findContainer(root = ""): Promise<string | null> {
  for (const [path, kind] of SIGNS) {
    if (await Deno.lstat(`${root}${path}`).then(() => true, () => false)) return kind;
  }
  return null;
}
