import { deepEqual, equal, notEqual } from "node:assert/strict";
import fc from "fast-check";
import { decodeMessage, encodeMessage, type Message, messageLength } from "./message.ts";
import { type DbusValue, splitSignature } from "./value.ts";

const CALL: Message = {
  type: "call",
  serial: 1,
  noReply: false,
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "Hello",
  errorName: null,
  replySerial: null,
  destination: "org.freedesktop.DBus",
  sender: null,
  signature: "",
  body: [],
};

/** The Hello call of busctl (systemd 252), captured from its socket. */
const HELLO = Uint8Array.fromHex(
  "6c0100010000000001000000" +
    "6d00000001016f00150000002f6f72672f667265656465736b746f702f44427573000000" +
    "030173000500000048656c6c6f000000" +
    "02017300140000006f72672e667265656465736b746f702e4442757300000000" +
    "06017300140000006f72672e667265656465736b746f702e4442757300000000",
);

Deno.test("decodeMessage() reads the bytes another client writes", () => {
  deepEqual(decodeMessage(HELLO), CALL);
});

Deno.test("encodeMessage() writes as many bytes as another client, under the same fixed header", () => {
  const bytes = encodeMessage(CALL);
  equal(bytes.length, HELLO.length);
  deepEqual(bytes.subarray(0, 16), HELLO.subarray(0, 16));
});

Deno.test("decodeMessage() reads big-endian", () => {
  // A signal with one header field, the signature "uy", and a body of 5 bytes.
  const bytes = Uint8Array.fromHex(
    "42040101" + "00000005" + "00000007" + "00000008" + "0801670002757900" + "00000102" + "ff",
  );
  const message = decodeMessage(bytes);
  deepEqual([message?.type, message?.serial, message?.noReply, message?.body], [
    "signal",
    7,
    true,
    [0x102, 0xff],
  ]);
});

Deno.test("splitSignature() takes complete types and nothing else", async (t) => {
  const cases: [signature: string, want: string[] | null][] = [
    ["", []],
    ["su", ["s", "u"]],
    ["ia(iayqs)", ["i", "a(iayqs)"]],
    ["aa{sv}", ["aa{sv}"]],
    ["a(sb)a{s(ii)}v", ["a(sb)", "a{s(ii)}", "v"]],
    ["a", null],
    ["(", null],
    ["()", null], // an element without size
    ["a()", null],
    ["{sv}", null], // a dict entry lives in an array
    ["a{s}", null],
    ["a{sss}", null],
    ["z", null],
    ["(i", null],
    ["i)", null],
    ["a".repeat(200) + "i", null], // deeper than the specification allows
  ];
  for (const [signature, want] of cases) {
    await t.step(signature === "" ? "(empty)" : signature, () => {
      deepEqual(splitSignature(signature), want);
    });
  }
});

/** A type and a value of it. */
const typed: fc.Arbitrary<[string, DbusValue]> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.nat(255).map((n) => ["y", n]),
    fc.integer({ min: -32768, max: 32767 }).map((n) => ["n", n]),
    fc.nat(65535).map((n) => ["q", n]),
    fc.integer().map((n) => ["i", n]),
    fc.integer({ min: 0, max: 0xffff_ffff }).map((n) => ["u", n]),
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map((n) => ["x", n]),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((n) => ["t", n]),
    fc.double({ noNaN: true }).map((n) => ["d", n]),
    fc.boolean().map((b) => ["b", b]),
    fc.string({ unit: "grapheme" }).map((s) => ["s", s]),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => ["ay", bytes]),
    tie("value").map((inner) => {
      const [signature, value] = inner as [string, DbusValue];
      return ["v", { signature, value }];
    }),
    fc.tuple(tie("value"), fc.nat(3)).map(([inner, count]) => {
      const [signature, value] = inner as [string, DbusValue];
      // An array of bytes is a Uint8Array; that case is above.
      return signature === "y" ? ["(y)", [value]] : [`a${signature}`, Array(count).fill(value)];
    }),
    fc.array(tie("value"), { minLength: 1, maxLength: 3 }).map((inner) => {
      const members = inner as [string, DbusValue][];
      return [`(${members.map(([s]) => s).join("")})`, members.map(([, v]) => v)];
    }),
    fc.tuple(fc.string(), tie("value")).map(([key, inner]) => {
      const [signature, value] = inner as [string, DbusValue];
      return [`a{s${signature}}`, new Map([[key, value]])];
    }),
  ),
})).value as fc.Arbitrary<[string, DbusValue]>;

Deno.test("decodeMessage(encodeMessage(x)) = x", () => {
  fc.assert(fc.property(fc.array(typed, { maxLength: 4 }), (parts) => {
    const signature = parts.map(([s]) => s).join("");
    fc.pre(signature.length <= 255 && splitSignature(signature) !== null);
    const message = { ...CALL, signature, body: parts.map(([, v]) => v) };
    deepEqual(decodeMessage(encodeMessage(message)), message);
  }));
});

Deno.test("decodeMessage() answers null, and never throws, when bytes are bad", () => {
  const message = {
    ...CALL,
    signature: "a{sv}a(iayqs)x",
    body: [
      new Map([["a", { signature: "as", value: ["x", "y"] }]]),
      [[2, Uint8Array.of(1, 2, 3, 4), 53, "dns"]],
      5n,
    ],
  };
  const bytes = encodeMessage(message);
  notEqual(decodeMessage(bytes), null);
  let refused = 0;
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    (changes) => {
      const mutated = bytes.slice();
      for (const [at, value] of changes) mutated[at] = value;
      if (decodeMessage(mutated) === null) refused++;
    },
  ));
  for (let at = 0; at < bytes.length; at++) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      const mutated = bytes.slice();
      mutated[at] = value;
      if (decodeMessage(mutated) === null) refused++;
    }
    equal(decodeMessage(bytes.subarray(0, at)), null);
  }
  notEqual(refused, 0);
});

Deno.test("messageLength() refuses what is endless or none", async (t) => {
  const header = (order: number, body: number, fields: number) => {
    const bytes = new Uint8Array(16);
    bytes[0] = order;
    const view = new DataView(bytes.buffer);
    view.setUint32(4, body, true);
    view.setUint32(12, fields, true);
    return bytes;
  };
  const cases: [string, Uint8Array, number | null | "bad"][] = [
    ["too short to tell", new Uint8Array(15), null],
    ["no byte order", header(0x20, 0, 0), "bad"],
    ["padded header", header(0x6c, 4, 9), 36],
    ["over the limit", header(0x6c, 0xffff_fff0, 0), "bad"],
  ];
  for (const [name, bytes, want] of cases) {
    await t.step(name, () => equal(messageLength(bytes), want));
  }
});
