import { deepEqual, equal } from "node:assert/strict";
import { formatIp, type Ipv6, parseIp, parseIpv4 } from "./address.ts";
import { findNat64Prefixes, throughNat64 } from "./nat64.ts";
import { formatPrefix, parseIpv6Prefix } from "./prefix.ts";

/** RFC 6052 section 2.4, text representation of 192.0.2.33 by prefix. */
const EMBEDDED: readonly (readonly [prefix: string, address: string])[] = [
  ["2001:db8::/32", "2001:db8:c000:221::"],
  ["2001:db8:100::/40", "2001:db8:1c0:2:21::"],
  ["2001:db8:122::/48", "2001:db8:122:c000:2:2100::"],
  ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"],
  ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"],
  ["2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"],
];

Deno.test("throughNat64() writes an IPv4 address into a prefix of each length, as RFC 6052 has it", async (t) => {
  for (const [prefix, address] of EMBEDDED) {
    await t.step(prefix, () => {
      const made = throughNat64(parseIpv6Prefix(prefix), parseIpv4("192.0.2.33"));
      equal(made && formatIp(made), formatIp(parseIp(address)));
    });
  }
});

Deno.test("throughNat64() keeps addresses that are not global out of the well-known prefix", async (t) => {
  const wellKnown = parseIpv6Prefix("64:ff9b::/96");
  const own = parseIpv6Prefix("2001:db8::/96");
  for (const text of ["10.0.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.1.1"]) {
    await t.step(text, () => {
      equal(throughNat64(wellKnown, parseIpv4(text)), null);
      equal(throughNat64(own, parseIpv4(text))?.family, 6);
    });
  }
  equal(formatIp(throughNat64(wellKnown, parseIpv4("8.8.8.8"))!), "64:ff9b::808:808");
});

/** What a resolver with DNS64 says of `ipv4only.arpa` for a prefix. */
function answers(prefix: string): Ipv6[] {
  return ["192.0.0.170", "192.0.0.171"].map((text) =>
    throughNat64(parseIpv6Prefix(prefix), parseIpv4(text))!
  );
}

Deno.test("findNat64Prefixes() reads the prefix out of the answer for ipv4only.arpa, at each length", async (t) => {
  for (const [prefix] of [...EMBEDDED, ["64:ff9b::/96"] as const]) {
    await t.step(prefix, () => {
      deepEqual(findNat64Prefixes(answers(prefix)).map(formatPrefix), [prefix]);
      deepEqual(findNat64Prefixes(answers(prefix).slice(1)).map(formatPrefix), [prefix]);
    });
  }
});

Deno.test("findNat64Prefixes() finds several, each once and no more than a few, and none in what is no answer", () => {
  deepEqual(
    findNat64Prefixes([...answers("64:ff9b::/96"), ...answers("2001:db8:122:300::/56")])
      .map(formatPrefix),
    ["64:ff9b::/96", "2001:db8:122:300::/56"],
  );
  const many = Array.from({ length: 9 }, (_, n) => answers(`2001:db8:${n}::/96`)).flat();
  equal(findNat64Prefixes(many).length, 4);
  const none = ["2001:db8::1", "192.0.0.170", "::ffff:192.0.0.170", "2001:db8::ff00:c000:aa"];
  deepEqual(findNat64Prefixes(none.slice(0, 3).map(parseIp)), []);
  // Found at two places, so neither is certain (RFC 7050 section 3).
  deepEqual(findNat64Prefixes([parseIp("2001:db8:c000:aa:c0:0:aac0:aa")]), []);
});
