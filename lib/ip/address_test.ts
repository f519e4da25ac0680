import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import {
  compareIp,
  decodeIp,
  encodeIp,
  equalIp,
  formatIp,
  type IpAddress,
  ipv4,
  ipv6,
  parseIp,
  parseIpv4,
  parseIpv6,
  unmapIp,
} from "./address.ts";

const anyIpv4 = fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4);
/** Groups are often zero, so that runs to shorten come up. */
const anyIpv6 = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
}).map((groups) => ipv6(groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n)));
const anyIp: fc.Arbitrary<IpAddress> = fc.oneof(anyIpv4, anyIpv6);

Deno.test("parseIpv4() takes four plain decimal octets and nothing else", async (t) => {
  const cases: [text: string, want: number | null][] = [
    ["0.0.0.0", 0],
    ["127.0.0.1", 0x7f000001],
    ["255.255.255.255", 0xffffffff],
    ["100.64.0.1", 0x64400001],
    // spellings that lenient parsers take, see anchors.md section 4
    ["", null],
    [" ", null],
    ["1", null],
    ["1.2", null],
    ["1.2.3", null],
    ["1.2.3.4.5", null],
    ["1.2.3.", null],
    [".1.2.3", null],
    ["1..2.3", null],
    ["1.2.3.4 ", null],
    [" 1.2.3.4", null],
    ["1.2.3.4\n", null],
    ["01.2.3.4", null],
    ["1.2.3.010", null],
    ["00.0.0.0", null],
    ["0x1.2.3.4", null],
    ["1e1.2.3.4", null],
    ["1.2.3.256", null],
    ["999.999.999.999", null],
    ["+1.2.3.4", null],
    ["-1.2.3.4", null],
    ["1.2.3.4/32", null],
    ["1.2.3.4:80", null],
    ["1.2.3.٤", null], // a digit, but not an ASCII one
    ["2130706433", null],
    ["::1", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => {
      if (want === null) throws(() => parseIpv4(text), SyntaxError);
      else deepEqual(parseIpv4(text), { family: 4, value: want });
    });
  }
});

Deno.test("parseIpv6() takes RFC 4291 text and nothing else", async (t) => {
  const cases: [text: string, want: string | null][] = [
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:0:2:0:0:3:4", "1::2:0:0:3:4"], // the first of two equal runs
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"], // one group is not shortened
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["", null],
    [":", null],
    [":::", null],
    ["1", null],
    ["1:2:3:4:5:6:7", null],
    ["1:2:3:4:5:6:7:8:9", null],
    ["1:2:3:4:5:6:7:8::", null],
    ["1::2::3", null],
    ["::1:", null],
    [":1::", null],
    ["12345::", null],
    ["g::", null],
    ["::1%eth0", null],
    ["[::1]", null],
    ["::1/128", null],
    [" ::1", null],
    ["::1 ", null],
    ["::0x1", null],
    ["::1.2.3", null],
    ["::01.2.3.4", null],
    ["::1.2.3.256", null],
    ["1.2.3.4::", null],
    ["::1.2.3.4:1", null],
    ["1:2:3:4:5:6:7:1.2.3.4", null],
    ["1.2.3.4", null],
    ["0".repeat(4000) + "::", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text.slice(0, 60)), () => {
      if (want === null) throws(() => parseIpv6(text), SyntaxError);
      else equal(formatIp(parseIpv6(text)), want);
    });
  }
});

Deno.test("parseIp() reads back what formatIp() writes", () => {
  fc.assert(fc.property(anyIp, (address) => deepEqual(parseIp(formatIp(address)), address)));
});

Deno.test("decodeIp() reads back what encodeIp() writes", () => {
  fc.assert(fc.property(anyIp, (address) => deepEqual(decodeIp(encodeIp(address)), address)));
  for (const length of [0, 3, 5, 15, 17]) equal(decodeIp(new Uint8Array(length)), null);
});

Deno.test("formatIp() agrees with ipaddr.js", () => {
  fc.assert(fc.property(anyIp, (address) => {
    const other = ipaddr.fromByteArray([...encodeIp(address)]);
    const wanted = other instanceof ipaddr.IPv6
      ? (other.isIPv4MappedAddress() ? `::ffff:${other.toIPv4Address()}` : other.toRFC5952String())
      : other.toString();
    equal(formatIp(address), wanted);
  }));
});

Deno.test("parseIp() takes nothing that ipaddr.js refuses, and means the same", () => {
  const pieces = fc.constantFrom(
    "0",
    "1",
    "ff",
    "00",
    "1234",
    "256",
    ":",
    "::",
    ".",
    "x",
    "%",
    " ",
  );
  const text = fc.array(pieces, { maxLength: 16 }).map((parts) => parts.join(""));
  let taken = 0;
  fc.assert(
    fc.property(text, (text) => {
      let address: IpAddress;
      try {
        address = parseIp(text);
      } catch (error) {
        equal((error as Error).name, "SyntaxError");
        return;
      }
      taken++;
      deepEqual([...encodeIp(address)], ipaddr.parse(text).toByteArray());
    }),
    { numRuns: 20_000, seed: 1 },
  );
  equal(taken > 50, true);
});

Deno.test("parseIpv4() takes exactly the four-part decimals of ipaddr.js", () => {
  const octet = fc.oneof(
    fc.integer({ min: 0, max: 300 }).map(String),
    fc.constantFrom("", "01", "a"),
  );
  const text = fc.array(octet, { minLength: 3, maxLength: 5 }).map((octets) => octets.join("."));
  fc.assert(
    fc.property(text, (text) => {
      let ours = true;
      try {
        parseIpv4(text);
      } catch {
        ours = false;
      }
      equal(ours, ipaddr.IPv4.isValidFourPartDecimal(text) && !/(^|\.)0[0-9]/.test(text));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("compareIp() is the order of family and bytes, equalIp() its zero", () => {
  fc.assert(fc.property(anyIp, anyIp, (a, b) => {
    const bytes = (address: IpAddress) => `${address.family}${encodeIp(address).toHex()}`;
    const wanted = bytes(a) < bytes(b) ? -1 : bytes(a) > bytes(b) ? 1 : 0;
    equal(Math.sign(compareIp(a, b)), wanted);
    equal(equalIp(a, b), wanted === 0);
  }));
});

Deno.test("unmapIp() opens mapped addresses and no others", () => {
  deepEqual(unmapIp(parseIp("::ffff:10.0.0.1")), parseIp("10.0.0.1"));
  for (const text of ["::10.0.0.1", "::fffe:10.0.0.1", "1::ffff:10.0.0.1", "10.0.0.1"]) {
    deepEqual(unmapIp(parseIp(text)), parseIp(text));
  }
});

Deno.test("ipv4() and ipv6() refuse numbers that do not fit", () => {
  for (const value of [-1, 2 ** 32, 0.5, NaN]) throws(() => ipv4(value), RangeError);
  for (const value of [-1n, 1n << 128n]) throws(() => ipv6(value), RangeError);
});
