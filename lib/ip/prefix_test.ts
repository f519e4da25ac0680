import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { encodeIp, formatIp, type IpAddress, ipv4, ipv6, parseIp } from "./address.ts";
import {
  bitsOf,
  contains,
  covers,
  equalPrefix,
  formatPrefix,
  lastAddress,
  overlaps,
  parseIpv4Prefix,
  parseIpv6Prefix,
  parsePrefix,
  type Prefix,
  prefixOf,
  without,
} from "./prefix.ts";

const anyIp: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(ipv6),
);
const anyPrefix: fc.Arbitrary<Prefix> = anyIp.chain((address) =>
  fc.integer({ min: 0, max: bitsOf(address.family) }).map((length) => prefixOf(address, length))
);
/** Prefixes of one small world, so that they meet. */
const nearPrefix = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
  .map(([low, length]) => prefixOf(ipv4(0x0a000000 + low), length));

Deno.test("parsePrefix() takes address, slash, length and no host bits", async (t) => {
  const cases: [text: string, want: string | null][] = [
    ["100.64.0.0/10", "100.64.0.0/10"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["192.0.2.1/32", "192.0.2.1/32"],
    ["FD00::/8", "fd00::/8"],
    ["::/0", "::/0"],
    ["::1/128", "::1/128"],
    ["100.64.0.1/10", null],
    ["fd00::1/64", null],
    ["10.0.0.0", null],
    ["10.0.0.0/", null],
    ["10.0.0.0/33", null],
    ["::/129", null],
    ["10.0.0.0/08", null],
    ["10.0.0.0/-1", null],
    ["10.0.0.0/8/8", null],
    ["10.0.0.0/255.0.0.0", null],
    ["10/8", null],
    ["/8", null],
    ["", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => {
      if (want === null) throws(() => parsePrefix(text), SyntaxError);
      else equal(formatPrefix(parsePrefix(text)), want);
    });
  }
});

Deno.test("parsePrefix() says which prefix was meant when host bits are set", () => {
  throws(() => parsePrefix("10.1.2.3/16"), /10\.1\.0\.0\/16 is meant/);
});

Deno.test("parseIpv4Prefix() and parseIpv6Prefix() refuse the other family", () => {
  equal(formatPrefix(parseIpv4Prefix("10.0.0.0/8")), "10.0.0.0/8");
  equal(formatPrefix(parseIpv6Prefix("fd00::/8")), "fd00::/8");
  throws(() => parseIpv4Prefix("fd00::/8"), SyntaxError);
  throws(() => parseIpv6Prefix("10.0.0.0/8"), SyntaxError);
});

Deno.test("parsePrefix() reads back what formatPrefix() writes", () => {
  fc.assert(fc.property(anyPrefix, (prefix) => {
    deepEqual(parsePrefix(formatPrefix(prefix)), prefix);
  }));
});

Deno.test("contains() agrees with ipaddr.js", () => {
  fc.assert(fc.property(anyPrefix, anyIp, fc.boolean(), (prefix, stray, inside) => {
    // half of the addresses share the prefix's first bits
    const address = inside && stray.family === prefix.address.family ? merge(prefix, stray) : stray;
    const range = ipaddr.fromByteArray([...encodeIp(prefix.address)]);
    const other = ipaddr.fromByteArray([...encodeIp(address)]);
    const wanted = range.kind() === other.kind() &&
      (other as ipaddr.IPv4).match(range as ipaddr.IPv4, prefix.length);
    equal(contains(prefix, address), wanted);
  }));
});

Deno.test("overlaps() is to share an address", () => {
  fc.assert(fc.property(nearPrefix, nearPrefix, (a, b) => {
    let wanted = false;
    for (let low = 0; low < 256; low++) {
      const address = ipv4(0x0a000000 + low);
      wanted ||= contains(a, address) && contains(b, address);
    }
    equal(overlaps(a, b), wanted);
    equal(overlaps(b, a), wanted);
    if (equalPrefix(a, b)) equal(wanted, true);
  }));
});

Deno.test("overlaps() never holds between families", () => {
  equal(overlaps(parsePrefix("0.0.0.0/0"), parsePrefix("::/0")), false);
  equal(overlaps(parsePrefix("::/0"), parsePrefix("0.0.0.0/0")), false);
});

Deno.test("lastAddress() is inside and its successor is not", () => {
  equal(formatIp(lastAddress(parsePrefix("100.64.0.0/10"))), "100.127.255.255");
  equal(formatIp(lastAddress(parsePrefix("0.0.0.0/0"))), "255.255.255.255");
  equal(formatIp(lastAddress(parsePrefix("fd00::/64"))), "fd00::ffff:ffff:ffff:ffff");
  equal(formatIp(lastAddress(parsePrefix("192.0.2.1/32"))), "192.0.2.1");
});

Deno.test("without() leaves what the others do not cover, in order", async (t) => {
  const cases: [name: string, prefix: string, others: string[], want: string[]][] = [
    ["nothing is taken", "10.0.0.0/8", ["192.168.0.0/16", "fd00::/64"], ["10.0.0.0/8"]],
    ["all is taken", "10.1.0.0/16", ["10.0.0.0/8"], []],
    ["a part", "100.64.0.0/10", ["100.64.0.0/12"], ["100.80.0.0/12", "100.96.0.0/11"]],
    ["parts that leave nothing", "10.0.0.0/8", ["10.0.0.0/9", "10.128.0.0/9"], []],
    ["two parts", "10.0.0.0/30", ["10.0.0.1/32", "10.0.0.2/32"], ["10.0.0.0/32", "10.0.0.3/32"]],
    ["of IPv6", "fd00::/63", ["fd00::/64"], ["fd00:0:0:1::/64"]],
  ];
  for (const [name, prefix, others, want] of cases) {
    await t.step(name, () => {
      deepEqual(without(parsePrefix(prefix), others.map(parsePrefix)).map(formatPrefix), want);
    });
  }
  equal(covers(parsePrefix("10.0.0.0/8"), parsePrefix("10.0.0.0/7")), false);
});

Deno.test("prefixOf() refuses lengths the family does not have", () => {
  for (const length of [-1, 33, 1.5]) {
    throws(() => prefixOf(parseIp("10.0.0.0"), length), RangeError);
  }
});

function merge(prefix: Prefix, host: IpAddress): IpAddress {
  const bits = bitsOf(host.family) - prefix.length;
  const mask = (1n << BigInt(bits)) - 1n;
  const value = BigInt(prefix.address.value) | (BigInt(host.value) & mask);
  return host.family === 4 ? ipv4(Number(value)) : ipv6(value);
}
