/**
 * Hosts of every kind, each with the real resolver of its kind, pointed at us and back by the product's code.
 * One story a host; the picture is on top of host.sh.
 *
 * @module
 */
import { type Kind } from "./kind.ts";
import { testKind } from "./test_kind.ts";

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

for (const kind of KINDS) await testKind(`OS DNS on a host with ${kind.name}`, kind);
