/**
 * kill -9 before every act, on hosts whose DNS others look after; tests/lab/traces_test.ts does it for a plain
 * resolv.conf and the whole of vnet.
 *
 * @module
 */
import { deepEqual, equal, notEqual } from "node:assert/strict";
import { type Kind, lacking, machine, tell } from "./kind.ts";

/** In CI, where time is short, every so many acts; else every one. */
const STRIDE = Deno.env.get("CI") === undefined ? 1 : 8;
const RESOLVED = ["systemd-resolved", "libnss-resolve", "dnsmasq-base"];
const MANAGER = ["network-manager", "dnsmasq-base"];

const HOSTS: readonly (readonly [backend: string, packages: readonly string[]])[] = [
  ["resolved", RESOLVED],
  ["nm-dnsmasq", MANAGER],
  ["openresolv", ["openresolv"]],
  ["debian-resolvconf", ["resolvconf"]],
];

for (const [backend, packages] of HOSTS) {
  const kind: Kind = {
    name: backend,
    packages,
    story: "crash_story.ts",
    args: [backend, `${STRIDE}`],
  };
  const lack = await lacking(kind);
  const mustRun = Deno.env.get("CI") !== undefined && lack === "root";
  Deno.test({
    name: `OS DNS: kill -9 at any act, with ${backend}${lack === null ? "" : ` (needs ${lack})`}`,
    ignore: lack !== null && !mustRun,
    fn: async (t) => {
      if (lack !== null) throw new Error(`This machine lacks ${lack}`);
      const before = await machine();
      let checks = 0;
      for (const { name, failure } of await tell(kind)) {
        checks++;
        await t.step(name, () => equal(failure, null, failure ?? ""));
      }
      notEqual(checks, 0, "the story said nothing");
      deepEqual(await machine(), before);
    },
  });
}
