/**
 * The names that fuzzing and comparing ask for: one of every kind.
 *
 * @module
 */
import { type NameEntry, NameTable, parseDomainName } from "../../lib/dns/mod.ts";
import { parseIpv4, parseIpv6, parsePrefix } from "../../lib/ip/mod.ts";

const NONE = { ipv4: null, ipv6: null };

const ENTRIES: readonly (readonly [name: string, entry: NameEntry])[] = [
  ["db.corp.example", { ipv4: parseIpv4("100.64.0.7"), ipv6: parseIpv6("fd12::6440:7") }],
  ["v4.corp.example", { ipv4: parseIpv4("100.64.0.8"), ipv6: null }],
  ["a.b.secret.test", { ipv4: parseIpv4("100.64.0.9"), ipv6: null }],
  ["out.corp.example", { ...NONE, trouble: { kind: "not-logged-in", text: "not logged in" } }],
  ["gone.corp.example", { ...NONE, trouble: { kind: "app-removed", text: "app removed" } }],
  ["full.corp.example", NONE],
];

/** Names worth asking for: owned, in a zone, above one, reverse, foreign. */
export const NAMES: readonly string[] = [
  ...ENTRIES.map(([name]) => name),
  ...["corp.example", "secret.test", "b.secret.test", "nobody.secret.test", "nobody.corp.example"],
  ...["vnet-diag-0a.corp.example", "7.0.64.100.in-addr.arpa", "99.0.64.100.in-addr.arpa"],
  ...["use-application-dns.net", "www.example.org", "a", "example"],
];

/** A table with a private and a public zone, reverse names, a probe and the canary. */
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
