/**
 * kill -9 before every act, on hosts whose DNS others look after; tests/lab/healing/traces_test.ts does it for a plain
 * resolv.conf and the whole of vnet.
 *
 * @module
 */
import { type Kind } from "./kind.ts";
import { testKind } from "./test_kind.ts";

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
  await testKind(`OS DNS: kill -9 at any act, with ${backend}`, kind);
}
