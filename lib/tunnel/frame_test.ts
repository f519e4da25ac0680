import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { OpenSchema } from "../wire/mod.ts";
import { decodeJson, encodeJsonFrame } from "./json_frame.ts";
import {
  CONTROL_MAX_PAYLOAD_BYTES,
  encodeFrame,
  FRAME_MAX_PAYLOAD_BYTES,
  FRAME_TYPES,
  FrameDecoder,
  type FrameType,
  writeFrameHeader,
} from "./frame.ts";

interface Whole {
  readonly type: FrameType;
  readonly payload: string;
}

/** Decodes everything; neighbouring pieces of data are put together, since their cuts mean nothing. */
function decodeAll(pieces: readonly Uint8Array[]): { frames: Whole[]; broken: boolean } {
  const decoder = new FrameDecoder();
  const frames: { type: FrameType; payload: string }[] = [];
  for (const piece of pieces) {
    decoder.feed(piece.slice()); // the decoder may write into what it is fed
    for (;;) {
      const frame = decoder.next();
      if (frame === null) break;
      if (frame === "broken") return { frames, broken: true };
      const last = frames.at(-1);
      if (frame.type === "data" && last?.type === "data") last.payload += frame.payload.toHex();
      else frames.push({ type: frame.type, payload: frame.payload.toHex() });
    }
  }
  return { frames, broken: false };
}

Deno.test("frames have these bytes on the wire", async (t) => {
  const cases: [name: string, bytes: Uint8Array, want: string][] = [
    [
      "open",
      encodeJsonFrame("open", { flow_id: "f1", port: 80 }),
      `0100001a${new TextEncoder().encode('{"flow_id":"f1","port":80}').toHex()}`,
    ],
    ["ok", encodeFrame("ok"), "02000000"],
    [
      "error",
      encodeJsonFrame("error", { code: "no-agent", message: "x" }),
      `03000021${new TextEncoder().encode('{"code":"no-agent","message":"x"}').toHex()}`,
    ],
    ["data", encodeFrame("data", Uint8Array.of(1, 2, 3)), "04000003010203"],
    ["fin", encodeFrame("fin"), "05000000"],
    ["reset", encodeFrame("reset"), "06000000"],
    ["ping", encodeFrame("ping"), "07000000"],
    ["pong", encodeFrame("pong"), "08000000"],
  ];
  for (const [name, bytes, want] of cases) await t.step(name, () => equal(bytes.toHex(), want));
});

Deno.test("FrameDecoder.next() refuses what is no frame, for good", async (t) => {
  const cases: [name: string, hex: string][] = [
    ["type 0", "00000000"],
    ["a type nobody knows", "09000000"],
    ["a length above 65535", "04010000"],
    ["empty data", "04000000"],
    ["a fin with a payload", "0500000100"],
    [
      "an open that is too long",
      `0100${(CONTROL_MAX_PAYLOAD_BYTES + 1).toString(16).padStart(4, "0")}`,
    ],
  ];
  for (const [name, hex] of cases) {
    await t.step(name, () => {
      const decoder = new FrameDecoder();
      decoder.feed(Uint8Array.fromHex(hex));
      equal(decoder.next(), "broken");
      decoder.feed(encodeFrame("ok"));
      equal(decoder.next(), "broken");
    });
  }
});

Deno.test("FrameDecoder.atBoundary says whether a frame is whole", () => {
  const decoder = new FrameDecoder();
  equal(decoder.atBoundary, true);
  decoder.feed(Uint8Array.fromHex("0400"));
  equal(decoder.next(), null);
  equal(decoder.atBoundary, false);
  decoder.feed(Uint8Array.fromHex("000201"));
  deepEqual(decoder.next(), { type: "data", payload: Uint8Array.of(1) });
  equal(decoder.next(), null);
  equal(decoder.atBoundary, false);
  decoder.feed(Uint8Array.of(2));
  deepEqual(decoder.next(), { type: "data", payload: Uint8Array.of(2) });
  equal(decoder.atBoundary, true);
});

Deno.test("FrameDecoder reads back any frames, however they are cut", () => {
  const control = fc.constantFrom<FrameType>("ok", "fin", "reset", "ping", "pong")
    .map((type) => ({ type, payload: new Uint8Array() }));
  const json = fc.tuple(
    fc.constantFrom<FrameType>("open", "error"),
    fc.uint8Array({ maxLength: 100 }),
  )
    .map(([type, payload]) => ({ type, payload }));
  const data = fc.uint8Array({ minLength: 1, maxLength: 300 })
    .map((payload) => ({ type: "data" as FrameType, payload }));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(control, json, data), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 20 }),
      (frames, sizes) => {
        const wire = Uint8Array.from(
          frames.flatMap(({ type, payload }) => [...encodeFrame(type, payload)]),
        );
        const pieces: Uint8Array[] = [];
        for (let at = 0, i = 0; at < wire.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          pieces.push(wire.subarray(at, at + size));
          at += size;
        }
        const want = decodeAll([wire]);
        equal(want.broken, false);
        deepEqual(decodeAll(pieces), want);
        const sum = (rows: readonly Whole[]) => rows.map(({ payload }) => payload).join("");
        equal(sum(want.frames), frames.map(({ payload }) => payload.toHex()).join(""));
      },
    ),
  );
});

Deno.test("FrameDecoder never throws on bytes of any kind", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }), (pieces) => {
      decodeAll(pieces);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("writeFrameHeader() refuses more than a frame carries", () => {
  const target = new Uint8Array(4);
  writeFrameHeader(target, "data", FRAME_MAX_PAYLOAD_BYTES);
  equal(target.toHex(), "0400ffff");
  throws(() => writeFrameHeader(target, "data", FRAME_MAX_PAYLOAD_BYTES + 1), RangeError);
  deepEqual(Object.values(FRAME_TYPES), [1, 2, 3, 4, 5, 6, 7, 8]);
});

Deno.test("decodeJson() gives null for what is not the message", async (t) => {
  const cases: [name: string, payload: string][] = [
    ["no JSON", "{"],
    ["no object", "3"],
    ["a flow id with a space", '{"flow_id":"a b","port":80}'],
    ["no port", '{"flow_id":"a"}'],
    ["port 0", '{"flow_id":"a","port":0}'],
    [
      "a source that is too long",
      JSON.stringify({ flow_id: "a", port: 1, source: "x".repeat(65) }),
    ],
  ];
  for (const [name, payload] of cases) {
    await t.step(
      name,
      () => equal(decodeJson(OpenSchema, new TextEncoder().encode(payload)), null),
    );
  }
  await t.step("not UTF-8", () => equal(decodeJson(OpenSchema, Uint8Array.of(0xff)), null));
  await t.step("a newer peer may say more", () => {
    const payload = new TextEncoder().encode('{"flow_id":"a","port":1,"later":true}');
    deepEqual(decodeJson(OpenSchema, payload), { flow_id: "a", port: 1 });
  });
});
