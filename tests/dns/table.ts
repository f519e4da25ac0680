/**
 * The table that the golden bytes in tests/fixtures/dns speak about.
 *
 * @module
 */
import { type NameEntry, NameTable, parseDomainName } from "../../lib/dns/mod.ts";
import { parseIpv4, parseIpv6, parsePrefix } from "../../lib/ip/mod.ts";

const NONE = { ipv4: null, ipv6: null };

/** One name of every kind. */
export const ENTRIES: readonly (readonly [name: string, entry: NameEntry])[] = [
  ["db.corp.example", { ipv4: parseIpv4("100.64.0.7"), ipv6: parseIpv6("fd12::6440:7") }],
  ["v4.corp.example", { ipv4: parseIpv4("100.64.0.8"), ipv6: null }],
  ["a.b.secret.test", { ipv4: parseIpv4("100.64.0.9"), ipv6: null }],
  ["out.corp.example", {
    ...NONE,
    trouble: { kind: "not-logged-in", text: "not logged in to corp" },
  }],
  ["denied.corp.example", { ...NONE, trouble: { kind: "access-denied", text: "access denied" } }],
  ["gone.corp.example", { ...NONE, trouble: { kind: "app-removed", text: "app removed" } }],
  ["full.corp.example", NONE],
];

/** A public and a private zone, reverse names, a probe and the canary. */
export function newTable(): NameTable {
  return new NameTable({
    zones: [
      { suffix: parseDomainName("corp.example"), private: false },
      { suffix: parseDomainName("secret.test"), private: true },
    ],
    names: new Map(ENTRIES.map(([name, entry]) => [parseDomainName(name), entry])),
    reverse: [parsePrefix("100.64.0.0/24"), parsePrefix("fd12::/64")],
    probe: { ipv4: parseIpv4("100.64.0.1"), ipv6: null },
    canary: true,
  });
}
