import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  contains,
  formatIp,
  formatPrefix,
  type Ipv4,
  ipv4,
  type Ipv6,
  overlaps,
  parseIp,
  parsePrefix,
  prefixOf,
} from "../ip/mod.ts";
import { dnsAddress, freeSlice, peerAddress, selfAddress, twin, untwin } from "./range.ts";

const ULA64 = parsePrefix("fd12:3456:789a:1::/64");

Deno.test("selfAddress(), peerAddress() and dnsAddress() are the first three of a range", () => {
  const range = parsePrefix("100.64.0.32/27");
  equal(formatIp(selfAddress(range)), "100.64.0.33");
  equal(formatIp(peerAddress(range)), "100.64.0.34");
  equal(formatIp(dnsAddress(range)), "100.64.0.35");
  throws(() => dnsAddress(parsePrefix("100.64.0.0/31")), RangeError);
  throws(() => selfAddress(parsePrefix("fd00::/64")), RangeError);
});

Deno.test("twin() puts the IPv4 address into the low 32 bits, untwin() takes it out", () => {
  equal(
    formatIp(twin(ULA64, parseIp("100.64.0.7") as Ipv4)),
    "fd12:3456:789a:1::6440:7",
  );
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4), (address) => {
    const address6 = twin(ULA64, address);
    equal(contains(ULA64, address6), true);
    deepEqual(untwin(ULA64, address6), address);
  }));
});

Deno.test("untwin() refuses what is no twin under the prefix", () => {
  for (const text of ["fd12:3456:789a:1:1::1", "fd12:3456:789a:2::1", "::1"]) {
    equal(untwin(ULA64, parseIp(text) as Ipv6), null);
  }
  equal(untwin(parsePrefix("10.0.0.0/8"), parseIp("::1") as Ipv6), null);
});

Deno.test("twin() refuses prefixes that leave no room", () => {
  const address = parseIp("100.64.0.7") as Ipv4;
  throws(() => twin(parsePrefix("fd00::/97"), address), RangeError);
  throws(() => twin(parsePrefix("10.0.0.0/8"), address), RangeError);
});

Deno.test("freeSlice() takes the lowest free slice", async (t) => {
  const cases: [
    name: string,
    within: string,
    taken: string[],
    length: number,
    want: string | null,
  ][] = [
    ["nothing taken", "100.64.0.0/10", [], 24, "100.64.0.0/24"],
    ["the first is taken", "100.64.0.0/10", ["100.64.0.0/24"], 24, "100.64.1.0/24"],
    ["a host in the first", "100.64.0.0/10", ["100.64.0.9/32"], 24, "100.64.1.0/24"],
    ["a wide one first", "100.64.0.0/10", ["100.64.0.0/11"], 24, "100.96.0.0/24"],
    ["unsorted", "10.0.0.0/22", ["10.0.1.0/24", "10.0.0.0/24"], 24, "10.0.2.0/24"],
    ["all taken", "10.0.0.0/24", ["10.0.0.0/8"], 27, null],
    ["both halves touched", "10.0.0.0/24", ["10.0.0.1/32", "10.0.0.129/32"], 25, null],
    ["only others taken", "10.0.0.0/24", ["fd00::/8", "11.0.0.0/8"], 25, "10.0.0.0/25"],
    ["the last of IPv4", "255.255.255.0/24", ["255.255.255.0/25"], 25, "255.255.255.128/25"],
    ["the default route", "10.0.0.0/24", ["0.0.0.0/0"], 25, null],
    ["IPv6", "fd00::/8", ["fd00::/64"], 64, "fd00:0:0:1::/64"],
    ["itself", "10.0.0.0/24", [], 24, "10.0.0.0/24"],
  ];
  for (const [name, within, taken, length, want] of cases) {
    await t.step(name, () => {
      const slice = freeSlice(parsePrefix(within), taken.map(parsePrefix), length);
      equal(slice === null ? null : formatPrefix(slice), want);
    });
  }
});

Deno.test("freeSlice() finds what trying every slice finds", () => {
  const within = parsePrefix("10.0.0.0/24");
  const taken = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 23, max: 32 }))
      .map(([low, length]) => prefixOf(ipv4(0x0a000000 + low), length)),
    { maxLength: 6 },
  );
  fc.assert(fc.property(taken, fc.integer({ min: 24, max: 32 }), (taken, length) => {
    let wanted: string | null = null;
    for (let low = 0; low < 256 && wanted === null; low += 2 ** (32 - length)) {
      const slice = prefixOf(ipv4(0x0a000000 + low), length);
      if (!taken.some((prefix) => overlaps(prefix, slice))) wanted = formatPrefix(slice);
    }
    const found = freeSlice(within, taken, length);
    equal(found === null ? null : formatPrefix(found), wanted);
  }));
});

Deno.test("freeSlice() refuses a length that does not fit", () => {
  throws(() => freeSlice(parsePrefix("10.0.0.0/24"), [], 23), RangeError);
  throws(() => freeSlice(parsePrefix("10.0.0.0/24"), [], 33), RangeError);
});
