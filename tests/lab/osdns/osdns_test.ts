/**
 * Hosts of every kind, each with the real resolver of its kind, pointed at us and back by the product's code.
 * One story a host; the picture is on top of host.sh.
 *
 * @module
 */
import { deepEqual, equal, notEqual } from "node:assert/strict";
import { type Kind, lacking, machine, tell } from "./kind.ts";

const RESOLVED = ["systemd-resolved", "libnss-resolve", "dnsmasq-base"];
const MANAGER = ["network-manager", "dnsmasq-base"];
const KINDS: readonly Kind[] = [
  { name: "systemd-resolved", packages: RESOLVED, story: "resolved_story.ts", args: [] },
  { name: "plain resolv.conf", packages: RESOLVED, story: "direct_story.ts", args: [] },
  {
    name: "openresolv",
    packages: ["openresolv"],
    story: "resolvconf_story.ts",
    args: ["openresolv"],
  },
  {
    name: "Debian resolvconf",
    packages: ["resolvconf"],
    story: "resolvconf_story.ts",
    args: ["debian"],
  },
  {
    name: "NetworkManager with dnsmasq",
    packages: MANAGER,
    story: "nm_story.ts",
    args: ["dnsmasq"],
  },
  { name: "musl", packages: ["openresolv"], story: "musl_story.ts", args: [] },
  { name: "NetworkManager alone", packages: MANAGER, story: "nm_story.ts", args: ["default"] },
];

for (const kind of KINDS) {
  const lack = await lacking(kind);
  const mustRun = Deno.env.get("CI") !== undefined && lack === "root";
  Deno.test({
    name: `OS DNS on a host with ${kind.name}${lack === null ? "" : ` (needs ${lack})`}`,
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
