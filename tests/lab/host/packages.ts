/**
 * Programs from Debian packages on one host of the lab, installed nowhere: fetched once into
 * `~/.cache/vnet-lab` (osdns/packages.sh), unpacked into the lab's directory, and laid over the host's /usr.
 *
 * @module
 */
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { here } from "./paths.ts";

const CACHE = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`
}/vnet-lab`;
const FETCH_MS = 120_000;
/** Once one set cannot be had, the others are not waited for. */
let isOffline = false;

/**
 * Fetches packages.
 *
 * @returns What is lacking, in words, or `null` when they are there
 */
export async function fetchPackages(
  ...sets: readonly (readonly string[])[]
): Promise<string | null> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return null; // The story lacks more than that.
  for (const packages of sets) {
    const fetched = isOffline ? null : await new Deno.Command("bash", {
      args: [here("osdns/packages.sh"), cacheOf(packages), ...packages],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(FETCH_MS),
    }).output();
    if (fetched?.success === true) continue;
    isOffline = true;
    return "Debian packages that apt cannot fetch";
  }
  return null;
}

/** Lays packages over a host's /usr and copies what they have for /etc. */
export async function installPackages(
  lab: Lab,
  host: Host,
  packages: readonly string[],
): Promise<void> {
  const stage = `${lab.directory}/packages-${host.name}`;
  await unpackPackages(packages, stage);
  await host.script(`
    mount -t overlay overlay -o lowerdir=${stage}/usr:/usr /usr
    cp -a --no-clobber ${stage}/etc/. /etc/
  `);
}

/** Unpacks fetched packages into a new directory. */
export async function unpackPackages(packages: readonly string[], stage: string): Promise<void> {
  // Unpacked, /lib is a directory; on a host with merged /usr it is a link.
  const unpack = `
    mkdir "$1"; mkdir "$1/usr" "$1/etc"
    for package in "$2"/*.deb; do dpkg -x "$package" "$1"; done
    for directory in lib lib64 sbin bin; do
      [ -d "$1/$directory" ] || continue
      mkdir -p "$1/usr/$directory"
      cp -a "$1/$directory/." "$1/usr/$directory/"
      rm -rf "$1/$directory"
    done`;
  const { code, stderr } = await new Deno.Command("sh", {
    args: ["-euc", unpack, "sh", stage, cacheOf(packages)],
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(`dpkg -x: ${new TextDecoder().decode(stderr)}`);
}

function cacheOf(packages: readonly string[]): string {
  return `${CACHE}/${packages.join("+")}`;
}
