/**
 * Declares a story of the lab as a test, skipped by name with the reason where the machine lacks something.
 * In CI (`CI` is set) only a kernel without TUN devices skips it; a missing program or missing rights fail it.
 *
 * @module
 */
import { Lab } from "./lab.ts";
import { say } from "./say.ts";
import { deepEqual } from "node:assert/strict";

const TOOLS = [
  "unshare",
  "nsenter",
  "setpriv",
  "ip",
  "nft",
  "psql",
  "nginx",
  "redis-server",
  "redis-cli",
  "dig",
  "curl",
  "dnsmasq",
  "socat",
  "sudo",
  "script",
  "sqlite3",
  "pebble",
  "certbot",
  "lego",
  "gcc",
  "musl-gcc",
];

/** One thing a story shows; the story goes on when it fails, and has failed. */
export type Step = (name: string, run: () => void | Promise<void>) => Promise<void>;

/**
 * Declares one story; its lab is closed afterwards and must have left nothing.
 *
 * @param unfetched Packages beyond those of scripts/lab_setup.sh that could not be had: skips the story, in CI too.
 */
export function story(
  name: string,
  run: (step: Step, lab: Lab) => Promise<void>,
  unfetched: string | null = null,
): void {
  const missing = lacking() ?? unfetched;
  const isExcused = missing?.startsWith("/dev/") === true || missing === unfetched;
  const mustRun = Deno.env.get("CI") !== undefined && !isExcused;
  Deno.test({
    name: missing === null ? name : `${name} (needs ${missing})`,
    ignore: missing !== null && !mustRun,
    fn: async (t) => {
      if (missing !== null) throw new Error(`This machine lacks ${missing}`);
      say(`\n=== ${name}`);
      const lab = await Lab.open();
      let failed = true;
      try {
        let failures = 0;
        await run(async (...args) => void (await t.step(...args) || failures++), lab);
        failed = failures > 0;
      } finally {
        if (failed) say(await lab.tails());
        await lab.close();
      }
      const nothing = { processes: [], namespaces: [], mounts: [], links: [], files: [] };
      if (Deno.env.get("VNET_LAB_KEEP") === undefined) deepEqual(await lab.leftovers(), nothing);
    },
  });
}

/** @returns What the machine lacks, in words, or `null` when it has everything. */
function lacking(): string | null {
  if (Deno.build.os !== "linux") return "Linux";
  if (Deno.uid() !== 0) return "root";
  if (!isThere("/dev/net/tun")) return "/dev/net/tun: `modprobe tun`";
  const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  const absent = TOOLS.filter((tool) => !folders.some((folder) => isThere(`${folder}/${tool}`)));
  return absent.length === 0 ? null : `${absent.join(", ")}: scripts/lab_setup.sh`;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
