import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { formatEndpoint } from "../ip/mod.ts";
import {
  crc32c,
  decodeProxyHeader,
  PROXY_HEADER_MAX_BYTES,
  PROXY_LOCAL_HEADER,
} from "./proxy_header.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const V4 = "c0000201" + "c6336407" + "d903" + "01bb"; // 192.0.2.1:55555 to 198.51.100.7:443
const V6 = "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "d903" +
  "01bb";
/** With the checksum of section 2.2.3 left to be filled in. */
const CRC_HEADER = SIGNATURE + "21110013" + V4 + "030004";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const length = (bytes: number) => bytes.toString(16).padStart(4, "0");

function withCrc(): Uint8Array {
  const bytes = hex(CRC_HEADER + "00000000");
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes));
  return bytes;
}

Deno.test("crc32c() is the polynomial of Castagnoli", () => {
  // RFC 3720, appendix B.4
  equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

Deno.test("decodeProxyHeader() reads whose a connection is", async (t) => {
  const cases: [name: string, bytes: Uint8Array, want: string | null, size: number][] = [
    ["TCP over IPv4", hex(SIGNATURE + "2111000c" + V4), "192.0.2.1:55555", 28],
    ["TCP over IPv6", hex(SIGNATURE + "21210024" + V6), "[2001:db8::1]:55555", 52],
    [
      "IPv4 in IPv6",
      hex(SIGNATURE + "21210024" + "00000000000000000000ffffc0000201" + V6.slice(32)),
      "192.0.2.1:55555",
      52,
    ],
    ["bytes behind it", hex(SIGNATURE + "2111000c" + V4 + "160301"), "192.0.2.1:55555", 28],
    ["TLVs", hex(SIGNATURE + "21110016" + V4 + "040002ffff" + "ea000201aa"), "192.0.2.1:55555", 38],
    ["a checksum", withCrc(), "192.0.2.1:55555", 35],
    ["LOCAL", hex(SIGNATURE + "20000000"), null, 16],
    ["our own", PROXY_LOCAL_HEADER, null, 16],
    ["LOCAL with addresses", hex(SIGNATURE + "2011000c" + V4), null, 28],
    ["UNSPEC", hex(SIGNATURE + "21000003aabbcc"), null, 19],
  ];
  for (const [name, bytes, want, size] of cases) {
    await t.step(name, () => {
      const read = decodeProxyHeader(bytes);
      equal(read.kind, "header");
      if (read.kind !== "header") return;
      equal(read.source === null ? null : formatEndpoint(read.source), want);
      equal(read.bytes, size);
      for (let cut = 0; cut < size; cut++) {
        deepEqual(decodeProxyHeader(bytes.subarray(0, cut)), { kind: "more" }, `${cut} bytes`);
      }
    });
  }
});

Deno.test("decodeProxyHeader() says what is wrong", async (t) => {
  const wrongSum = withCrc();
  wrongSum[20] = 9;
  const cases: [name: string, bytes: Uint8Array, fault: string][] = [
    ["a ClientHello", hex("1603010200"), "missing"],
    ["HTTP", new TextEncoder().encode("GET / HTTP/1.1\r\n"), "missing"],
    ["nearly the signature", hex("0d0a0d0a000d0a515549540b"), "missing"],
    [
      "version 1",
      new TextEncoder().encode("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n"),
      "version-1",
    ],
    ["version 3", hex(SIGNATURE + "3111000c" + V4), "malformed"],
    ["an unknown command", hex(SIGNATURE + "2211000c" + V4), "malformed"],
    ["UDP", hex(SIGNATURE + "2112000c" + V4), "family"],
    ["a unix socket", hex(SIGNATURE + "213100d8" + "00".repeat(216)), "family"],
    ["addresses cut short", hex(SIGNATURE + "2111000b" + V4.slice(2)), "malformed"],
    ["IPv6 with the length of IPv4", hex(SIGNATURE + "2121000c" + V4), "malformed"],
    ["a TLV without length", hex(SIGNATURE + "2111000e" + V4 + "0400"), "malformed"],
    ["a TLV over the end", hex(SIGNATURE + "21110010" + V4 + "040002ff"), "malformed"],
    ["a checksum of two bytes", hex(SIGNATURE + "21110011" + V4 + "030002ffff"), "malformed"],
    ["a wrong checksum", wrongSum, "checksum"],
    ["too long", hex(SIGNATURE + "2111" + length(PROXY_HEADER_MAX_BYTES - 15)), "too-long"],
  ];
  for (const [name, bytes, fault] of cases) {
    await t.step(name, () => deepEqual(decodeProxyHeader(bytes), { kind: "bad", fault }));
  }
});

Deno.test("decodeProxyHeader() takes any bytes, and never reads beyond what it says", () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.tuple(
      fc.constantFrom(0x20, 0x21),
      fc.constantFrom(0, 0x11, 0x21, 0x12),
      fc.uint8Array({
        maxLength: 300,
      }),
    ).map(([command, family, rest]) =>
      new Uint8Array([...hex(SIGNATURE), command, family, 0, rest.length % 200, ...rest])
    ),
  );
  fc.assert(
    fc.property(anything, (bytes) => {
      const read = decodeProxyHeader(bytes);
      if (read.kind !== "header") return;
      equal(read.bytes <= bytes.length, true);
      deepEqual(decodeProxyHeader(bytes.subarray(0, read.bytes)), read);
    }),
    { numRuns: 2000 },
  );
});
