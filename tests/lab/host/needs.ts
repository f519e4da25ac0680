/**
 * Declares a story of the lab as a test, ignored with the reason in its name where the machine lacks something.
 * In CI (`CI` is set) only a kernel without TUN devices skips it; a missing program or missing rights fail it.
 *
 * @module
 */
import { lacking, withReason } from "../../needs.ts";
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
  "gcc",
  "musl-gcc",
];

/** An ACME server and two clients of it. */
export const ACME_TOOLS: readonly string[] = ["pebble", "certbot", "lego"];

/** One thing a story shows; the story goes on when it fails, and has failed. */
export type Step = (name: string, run: () => void | Promise<void>) => Promise<void>;

/**
 * Declares one story; its lab is closed afterwards and must have left nothing.
 *
 * @param unfetched Packages beyond those of scripts/setup that could not be had: skips the story, in CI too.
 * @param tools Programs that this story runs beyond those that all do.
 */
export function story(
  name: string,
  run: (step: Step, lab: Lab) => Promise<void>,
  unfetched: string | null = null,
  tools: readonly string[] = [],
): void {
  const missing = lacking(["Linux", "root", "/dev/net/tun", ...TOOLS, ...tools]);
  if (missing.length === 0 && unfetched !== null) missing.push(unfetched);
  const isExcused = missing.some((thing) => thing.startsWith("/dev/") || thing === unfetched);
  const mustRun = Deno.env.get("CI") !== undefined && !isExcused;
  Deno.test({
    name: withReason(name, missing),
    ignore: missing.length > 0 && !mustRun,
    fn: async (t) => {
      if (missing.length > 0) throw new Error(`This machine lacks ${missing.join(", ")}`);
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
