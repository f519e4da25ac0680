import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  bitsOf,
  contains,
  formatPrefix,
  type IpAddress,
  ipv4,
  ipv6,
  parseIp,
  parsePrefix,
  prefixOf,
} from "../../ip/mod.ts";
import { isBelow, isDomainName } from "../name.ts";
import { parseReverseName, reverseName, reverseZoneOf, reverseZones } from "./reverse.ts";

const anyIp: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(ipv6),
);

Deno.test("reverseName() writes the name of RFC 1035 and RFC 3596", () => {
  equal(reverseName(parseIp("100.64.0.7")), "7.0.64.100.in-addr.arpa");
  // the example of RFC 3596 section 2.5
  equal(
    reverseName(parseIp("4321:0:1:2:3:4:567:89ab")),
    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa",
  );
});

Deno.test("parseReverseName() reads whole names and their ends", async (t) => {
  const cases: [name: string, want: string | null][] = [
    ["7.0.64.100.in-addr.arpa", "100.64.0.7/32"],
    ["64.100.in-addr.arpa", "100.64.0.0/16"],
    ["1.0.0.0.d.f.ip6.arpa", "fd00:100::/24"],
    ["in-addr.arpa", null],
    ["ip6.arpa", null],
    ["1.7.0.64.100.in-addr.arpa", null],
    ["256.0.64.100.in-addr.arpa", null],
    ["07.0.64.100.in-addr.arpa", null],
    ["x.64.100.in-addr.arpa", null],
    ["0/25.64.100.in-addr.arpa", null],
    ["10.ip6.arpa", null],
    ["g.ip6.arpa", null],
    ["7.0.64.100.in-addr.arpa.example", null],
    ["db.corp.example", null],
    ["", null],
  ];
  for (const [name, want] of cases) {
    await t.step(JSON.stringify(name), () => {
      const prefix = parseReverseName(name);
      equal(prefix === null ? null : formatPrefix(prefix), want);
    });
  }
});

Deno.test("parseReverseName() reads back what reverseName() writes", () => {
  fc.assert(fc.property(anyIp, (address) => {
    equal(isDomainName(reverseName(address)), true);
    deepEqual(parseReverseName(reverseName(address)), { address, length: bitsOf(address.family) });
  }));
});

Deno.test("reverseZones() lists the zones to claim", async (t) => {
  const cases: [prefix: string, count: number, first: string, last: string][] = [
    ["100.64.0.0/10", 64, "64.100.in-addr.arpa", "127.100.in-addr.arpa"],
    ["10.0.0.0/8", 1, "10.in-addr.arpa", "10.in-addr.arpa"],
    ["100.64.0.0/16", 1, "64.100.in-addr.arpa", "64.100.in-addr.arpa"],
    ["100.64.0.0/22", 4, "0.64.100.in-addr.arpa", "3.64.100.in-addr.arpa"],
    ["100.64.5.32/27", 1, "5.64.100.in-addr.arpa", "5.64.100.in-addr.arpa"],
    ["fd12::/16", 1, "2.1.d.f.ip6.arpa", "2.1.d.f.ip6.arpa"],
    ["fc00::/7", 2, "c.f.ip6.arpa", "d.f.ip6.arpa"],
  ];
  for (const [text, count, first, last] of cases) {
    await t.step(text, () => {
      const zones = reverseZones(parsePrefix(text));
      equal(zones.length, count);
      equal(zones[0], first);
      equal(zones.at(-1), last);
    });
  }
  throws(() => reverseZones(parsePrefix("0.0.0.0/0")), RangeError);
});

Deno.test("reverseZones() hold the reverse name of every address of the prefix", () => {
  fc.assert(fc.property(anyIp, fc.nat(), (address, n) => {
    const length = 1 + n % bitsOf(address.family);
    const prefix = prefixOf(address, length);
    equal(contains(prefix, address), true);
    const zones = reverseZones(prefix);
    equal(zones.length <= 128, true);
    equal(zones.filter((zone) => isBelow(reverseName(address), zone)).length, 1);
    equal(zones.includes(reverseZoneOf(prefix, address)), true);
  }));
});
