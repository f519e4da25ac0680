import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { parseIpv4, parseIpv6, parsePrefix } from "../../ip/mod.ts";
import { parseRrType, RR_CLASS } from "../wire/codes.ts";
import { explain, formatAnswers } from "./explain.ts";
import { judge } from "./judge.ts";
import { isBelow, parseDomainName } from "../name.ts";
import { type NameEntry, NameTable, type NameTableOptions } from "./name_table.ts";
import { questionOf } from "../wire/query.ts";

function newTable(options: {
  zones?: readonly string[];
  privateZones?: readonly string[];
  names?: Record<string, NameEntry>;
  excluded?: readonly string[];
  rest?: Partial<NameTableOptions>;
}): NameTable {
  const { zones = [], privateZones = [], names = {}, excluded = [], rest = {} } = options;
  return new NameTable({
    zones: [
      ...zones.map((suffix) => ({ suffix: parseDomainName(suffix), private: false })),
      ...privateZones.map((suffix) => ({ suffix: parseDomainName(suffix), private: true })),
    ],
    names: new Map(Object.entries(names).map(([name, entry]) => [parseDomainName(name), entry])),
    excluded: excluded.map(parseDomainName),
    ...rest,
  });
}

const both: NameEntry = { ipv4: parseIpv4("100.64.0.7"), ipv6: parseIpv6("fd12::6440:7") };
const other: NameEntry = { ipv4: parseIpv4("100.64.0.8"), ipv6: parseIpv6("fd12::6440:8") };
const nothing: NameEntry = { ipv4: null, ipv6: null };

const table = newTable({
  zones: ["corp.example", "eu.corp.example", "deep.secret.test", "proxy.example.com"],
  privateZones: ["secret.test"],
  names: {
    "db.corp.example": both,
    "eu.corp.example": other,
    "db.eu.corp.example": { ipv4: parseIpv4("100.64.0.9"), ipv6: null },
    "six.corp.example": { ipv4: null, ipv6: parseIpv6("fd12::6440:a") },
    "a.b.c.corp.example": both,
    "a.b.secret.test": both,
    "proxy.example.com": both,
    "www.google.com": both,
    "corp.example": both,
    "full.corp.example": nothing,
    "late.corp.example": { ...both, trouble: { kind: "not-logged-in", text: "not logged in" } },
    "denied.corp.example": {
      ...nothing,
      trouble: { kind: "access-denied", text: "access denied" },
    },
    "gone.corp.example": { ...nothing, trouble: { kind: "app-removed", text: "app removed" } },
  },
  excluded: ["proxy.example.com", "proxy.secret.test", "web.corp.example"],
  rest: {
    reverse: [parsePrefix("100.64.0.0/20"), parsePrefix("fd12::/64"), parsePrefix("10.9.8.32/27")],
    probe: { ipv4: parseIpv4("100.64.0.1"), ipv6: parseIpv6("fd12::6440:1") },
    canary: true,
  },
});

Deno.test("judge() gives each question its verdict and rule", async (t) => {
  const cases: [name: string, type: string, kind: string, rule: string][] = [
    ["db.corp.example", "A", "answer", "app-address"],
    ["db.corp.example", "AAAA", "answer", "app-address"],
    ["db.corp.example", "ANY", "answer", "app-any"],
    ["db.corp.example", "HTTPS", "no-data", "app-other-type"],
    ["db.corp.example", "SVCB", "no-data", "app-other-type"],
    ["db.corp.example", "TXT", "no-data", "app-other-type"],
    ["db.corp.example", "CNAME", "no-data", "app-other-type"],
    ["db.corp.example", "TYPE65280", "no-data", "app-other-type"],
    ["db.corp.example", "TYPE0", "no-data", "app-other-type"],
    ["db.corp.example", "AXFR", "refuse", "meta-type"],
    ["db.corp.example", "OPT", "refuse", "meta-type"],
    ["db.eu.corp.example", "A", "answer", "app-address"],
    ["db.eu.corp.example", "AAAA", "no-data", "app-no-family"],
    ["six.corp.example", "A", "no-data", "app-no-family"],
    ["six.corp.example", "ANY", "answer", "app-any"],
    // an app at the apex of an inner zone lies inside the outer one
    ["eu.corp.example", "A", "answer", "app-address"],
    // ... but not at the apex of its own
    ["corp.example", "A", "forward", "zone-apex"],
    ["corp.example", "SOA", "forward", "zone-apex"],
    ["proxy.example.com", "A", "forward", "proxy-name"],
    ["web.corp.example", "HTTPS", "forward", "proxy-name"],
    // a proxy's name keeps its public answer even in a private zone
    ["proxy.secret.test", "A", "forward", "proxy-name"],
    // a cluster has no say outside its zones
    ["www.google.com", "A", "forward", "outside"],
    ["nobody.corp.example", "A", "forward", "zone-unknown"],
    ["x.db.corp.example", "A", "forward", "zone-unknown"],
    ["b.c.corp.example", "A", "forward", "empty-non-terminal"],
    ["c.corp.example", "A", "forward", "empty-non-terminal"],
    ["nobody.secret.test", "A", "nx-domain", "private-unknown"],
    ["x.a.b.secret.test", "A", "nx-domain", "private-unknown"],
    ["b.secret.test", "A", "no-data", "empty-non-terminal"],
    ["secret.test", "A", "no-data", "private-apex"],
    ["secret.test", "SOA", "answer", "private-apex"],
    ["secret.test", "NS", "answer", "private-apex"],
    ["secret.test", "ANY", "answer", "private-apex"],
    // a public zone inside a private one
    ["deep.secret.test", "A", "forward", "zone-apex"],
    ["x.deep.secret.test", "A", "forward", "zone-unknown"],
    ["full.corp.example", "A", "refuse", "app-trouble"],
    ["full.corp.example", "TXT", "refuse", "app-trouble"],
    ["late.corp.example", "A", "refuse", "app-trouble"],
    ["denied.corp.example", "AAAA", "refuse", "app-trouble"],
    ["gone.corp.example", "A", "nx-domain", "app-trouble"],
    ["vnet-diag-0.corp.example", "A", "answer", "probe"],
    ["vnet-diag-0123456789abcdef.x.corp.example", "AAAA", "answer", "probe"],
    ["vnet-diag-0.secret.test", "A", "answer", "probe"],
    ["vnet-diag-0.secret.test", "HTTPS", "no-data", "probe"],
    ["vnet-diag-xyz.corp.example", "A", "forward", "zone-unknown"],
    ["vnet-diag-.corp.example", "A", "forward", "zone-unknown"],
    ["vnet-diag-0.example.org", "A", "forward", "outside"],
    ["xvnet-diag-0.secret.test", "A", "nx-domain", "private-unknown"],
    ["7.0.64.100.in-addr.arpa", "PTR", "answer", "reverse-known"],
    ["7.0.64.100.in-addr.arpa", "ANY", "answer", "reverse-known"],
    ["7.0.64.100.in-addr.arpa", "A", "no-data", "reverse-known"],
    ["77.0.64.100.in-addr.arpa", "PTR", "nx-domain", "reverse-unknown"],
    ["x.7.0.64.100.in-addr.arpa", "PTR", "forward", "outside"],
    ["0.64.100.in-addr.arpa", "PTR", "no-data", "reverse-known"],
    ["1.64.100.in-addr.arpa", "SOA", "no-data", "reverse-known"], // an apex without names
    ["16.64.100.in-addr.arpa", "PTR", "forward", "outside"],
    ["64.100.in-addr.arpa", "PTR", "forward", "outside"],
    ["8.8.8.8.in-addr.arpa", "PTR", "forward", "outside"],
    ["40.8.9.10.in-addr.arpa", "PTR", "nx-domain", "reverse-unknown"],
    ["70.8.9.10.in-addr.arpa", "PTR", "forward", "outside"], // another's half of the zone
    [
      "7.0.0.0.0.4.4.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa",
      "PTR",
      "answer",
      "reverse-known",
    ],
    [
      "5.4.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa",
      "PTR",
      "nx-domain",
      "reverse-unknown",
    ],
    [
      "0.4.4.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa",
      "PTR",
      "no-data",
      "reverse-known",
    ],
    ["use-application-dns.net", "A", "nx-domain", "doh-canary"],
    ["x.use-application-dns.net", "A", "forward", "outside"],
    ["example.com", "A", "forward", "outside"],
    ["", "NS", "forward", "outside"],
    ["com", "DS", "forward", "outside"],
    ["example.com", "AXFR", "refuse", "meta-type"],
  ];
  for (const [name, type, kind, rule] of cases) {
    await t.step(`${name} ${type}`, () => {
      const verdict = judge(questionOf(name, parseRrType(type)), table);
      deepEqual([verdict.kind, verdict.rule], [kind, rule]);
    });
  }
});

Deno.test("judge() answers with the addresses of the name", () => {
  const answers = (name: string, type: string) =>
    formatAnswers(judge(questionOf(name, parseRrType(type)), table));
  deepEqual(answers("db.corp.example", "A"), ["A 100.64.0.7"]);
  deepEqual(answers("db.corp.example", "AAAA"), ["AAAA fd12::6440:7"]);
  deepEqual(answers("db.corp.example", "ANY"), ["A 100.64.0.7", "AAAA fd12::6440:7"]);
  deepEqual(answers("7.0.64.100.in-addr.arpa", "PTR"), ["PTR db.corp.example."]);
  deepEqual(answers("secret.test", "SOA"), ["SOA secret.test."]);
});

Deno.test("judge() marks forwarded names that have ours below them", async (t) => {
  const cases: [name: string, want: boolean][] = [
    ["b.c.corp.example", true],
    ["corp.example", true],
    ["example", true], // above a zone: an NXDOMAIN would deny the zone too (RFC 8020)
    ["test", true],
    ["nobody.corp.example", false],
    ["example.org", false],
    ["web.corp.example", false],
  ];
  for (const [name, want] of cases) {
    await t.step(name, () => {
      const verdict = judge(questionOf(name, 1), table);
      equal(verdict.kind === "forward" && verdict.emptyNonTerminal, want);
    });
  }
});

Deno.test("judge() keeps other classes to itself where they would tell our names", async (t) => {
  const cases: [name: string, rrClass: number, kind: string][] = [
    ["version.bind", RR_CLASS.CH, "refuse"],
    ["example.org", RR_CLASS.CH, "refuse"],
    ["db.corp.example", RR_CLASS.ANY, "refuse"],
    ["x.secret.test", RR_CLASS.HS, "refuse"],
    ["example.org", RR_CLASS.HS, "forward"],
    ["x.corp.example", RR_CLASS.NONE, "forward"],
  ];
  for (const [name, rrClass, kind] of cases) {
    await t.step(`${name} ${rrClass}`, () => {
      equal(judge({ name, type: 1, class: rrClass }, table).kind, kind);
    });
  }
});

Deno.test("judge() without probe and canary treats those names like any other", () => {
  const plain = newTable({ zones: ["corp.example"], privateZones: ["secret.test"] });
  equal(judge(questionOf("vnet-diag-0.corp.example", 1), plain).rule, "zone-unknown");
  equal(judge(questionOf("vnet-diag-0.secret.test", 1), plain).rule, "private-unknown");
  equal(judge(questionOf("use-application-dns.net", 1), plain).rule, "outside");
  equal(judge(questionOf("anything.example", 1), newTable({})).rule, "outside");
});

Deno.test("judge() answers a probe of a missing family with no data", () => {
  const rest = { probe: { ipv4: null, ipv6: null } };
  const blind = newTable({ zones: ["corp.example"], rest });
  equal(judge(questionOf("vnet-diag-0.corp.example", 1), blind).kind, "no-data");
});

Deno.test("explain() says which rule it was and what came of it", async (t) => {
  const cases: [name: string, type: string, want: string][] = [
    [
      "db.corp.example",
      "A",
      '"db.corp.example" is an application in zone "corp.example": answered here with A 100.64.0.7, TTL 10 s',
    ],
    [
      "nobody.secret.test",
      "A",
      '"nobody.secret.test" is no application in zone "secret.test", which is private: answered here with NXDOMAIN',
    ],
    [
      "nobody.corp.example",
      "A",
      '"nobody.corp.example" is no application in zone "corp.example", and others may publish names there: forwarded to the upstream resolvers',
    ],
    [
      "late.corp.example",
      "A",
      '"late.corp.example" is an application that cannot be used: answered here with REFUSED (not logged in)',
    ],
    [
      "db.corp.example",
      "HTTPS",
      '"db.corp.example" is an application in zone "corp.example", which has addresses and no HTTPS record: answered here with no data',
    ],
  ];
  for (const [name, type, want] of cases) {
    await t.step(`${name} ${type}`, () => {
      const question = questionOf(name, parseRrType(type));
      equal(explain(question, judge(question, table)), want);
    });
  }
});

/** The rules once more, by looking at everything and in the plainest words. */
function judgeSlowly(
  name: string,
  zones: readonly (readonly [string, boolean])[],
  owned: readonly string[],
  excluded: readonly string[],
): string {
  const inside = (name: string) =>
    zones.filter(([suffix]) => isBelow(name, suffix)).sort((a, b) => b[0].length - a[0].length)[0];
  const exists = [...owned, ...excluded].filter((name) => inside(name) !== undefined);
  if (excluded.includes(name)) return "forward";
  if (owned.includes(name) && inside(name) !== undefined) return "answer";
  const apex = zones.find(([suffix]) => suffix === name);
  if (apex !== undefined) return apex[1] ? "no-data" : "forward";
  const zone = inside(name);
  if (zone === undefined || !zone[1]) return "forward";
  const below = [...exists, ...zones.map(([suffix]) => suffix)].some((other) =>
    isBelow(other, name)
  );
  return below ? "no-data" : "nx-domain";
}

Deno.test("judge() decides as the plain rules do", () => {
  const label = fc.constantFrom("a", "b", "c");
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  const zones = fc.uniqueArray(fc.tuple(name, fc.boolean()), {
    maxLength: 4,
    selector: ([s]) => s,
  });
  const names = fc.uniqueArray(name, { maxLength: 5 });
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(zones, names, names, name, (zones, owned, excluded, asked) => {
      const table = newTable({
        zones: zones.filter(([, isPrivate]) => !isPrivate).map(([suffix]) => suffix),
        privateZones: zones.filter(([, isPrivate]) => isPrivate).map(([suffix]) => suffix),
        names: Object.fromEntries(owned.map((name) => [name, both])),
        excluded: excluded.slice(0, 2),
      });
      const { kind } = judge(questionOf(asked, 1), table);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      equal(kind, judgeSlowly(asked, zones, owned, excluded.slice(0, 2)));
    }),
    { numRuns: 10_000, seed: 8 },
  );
  deepEqual([...seen.keys()].sort(), ["answer", "forward", "no-data", "nx-domain"]);
});
