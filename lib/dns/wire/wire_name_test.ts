import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { decodeName, encodeName, skipName, skipPlainName } from "./wire_name.ts";

/** Labels of any bytes, as the wire allows them. */
const wireLabel = fc.uint8Array({ minLength: 1, maxLength: 20 });
const wireName = fc.array(wireLabel, { maxLength: 10 }).map((labels) =>
  Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0])
);

function fold(bytes: Uint8Array): Uint8Array {
  // length bytes are under 64 and so are no letters
  return bytes.map((byte) => byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);
}

Deno.test("encodeName() writes back what decodeName() read, in lower case", () => {
  fc.assert(fc.property(wireName, (wire) => {
    const decoded = decodeName(wire, 0);
    equal(decoded?.end, wire.length);
    deepEqual(encodeName(decoded?.name ?? ""), fold(wire));
  }));
});

Deno.test("skipPlainName() and skipName() agree with decodeName() where there are no pointers", () => {
  fc.assert(fc.property(wireName, fc.uint8Array({ maxLength: 9 }), (wire, before) => {
    const message = Uint8Array.from([...before, ...wire]);
    const decoded = decodeName(message, before.length);
    equal(skipPlainName(message, before.length), decoded?.end);
    equal(skipName(message, before.length), decoded?.end);
  }));
});

Deno.test("decodeName() never throws and ends inside the message", () => {
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(0xc0), fc.nat(255)),
    {
      maxLength: 60,
    },
  ).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(bytes, fc.nat(70), (message, offset) => {
      const decoded = decodeName(message, offset);
      if (decoded === null) return;
      equal(decoded.end <= message.length && decoded.end > offset, true);
      equal(encodeName(decoded.name).length <= 255, true);
      equal(skipName(message, offset), decoded.end);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("decodeName() follows pointers backwards only", async (t) => {
  const www = [3, 0x77, 0x77, 0x77, 0];
  const cases: [name: string, bytes: number[], offset: number, want: string | null][] = [
    ["to an earlier name", [...www, 1, 0x61, 0xc0, 0], 5, "a.www"],
    ["through two pointers", [...www, 0xc0, 0, 0xc0, 5], 7, "www"],
    ["to itself", [0xc0, 0], 0, null],
    ["into its own labels", [1, 0x61, 0xc0, 0], 0, null],
    ["forward", [0xc0, 2, 0], 0, null],
    ["past the end", [0, 0xc0, 9], 1, null],
    ["cut", [0, 0xc0], 1, null],
    ["into the middle of a label", [...www, 0xc0, 1], 5, null], // 0x77 is no length
  ];
  for (const [name, bytes, offset, want] of cases) {
    await t.step(name, () => {
      equal(decodeName(Uint8Array.from(bytes), offset)?.name ?? null, want);
    });
  }
});

Deno.test("decodeName() writes odd bytes so that no two names look alike", () => {
  const read = (...bytes: number[]) =>
    decodeName(Uint8Array.from([bytes.length, ...bytes, 0]), 0)?.name;
  equal(read(0x61, 0x2e, 0x62), "a\\046b");
  equal(read(0x5c), "\\092");
  equal(read(0x00), "\\000");
  equal(read(0xff), "\\255");
  equal(read(0x20), "\\032");
  equal(read(0x2a), "\\042");
  equal(read(0x41, 0x5f, 0x2d, 0x39), "a_-9");
});

Deno.test("encodeName() refuses what is no name", () => {
  const l63 = "a".repeat(63);
  for (
    const name of [
      "a..b",
      ".",
      "a".repeat(64),
      `${l63}.${l63}.${l63}.${l63}`,
      "\\256",
      "\\12",
      "é\u0100",
    ]
  ) {
    throws(() => encodeName(name), RangeError, name);
  }
});
