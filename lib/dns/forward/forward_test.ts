import { deepEqual, equal, notDeepEqual } from "node:assert/strict";
import fc from "fast-check";
import { parsePrefix } from "../../ip/mod.ts";
import { FLAG, RCODE } from "../wire/codes.ts";
import { acceptAnswer, claimsAddressIn, encodeForward, restoreAnswer } from "./forward.ts";
import { decodeMessage } from "../wire/message.ts";
import {
  decodeQuery,
  encodeQuestion,
  type Query,
  questionOf,
  type QuestionOptions,
} from "../wire/query.ts";

const NAME = "Www.Example.ORG";

function newQuery(options: Partial<QuestionOptions> = {}): Query {
  const bytes = encodeQuestion(questionOf(NAME, 1), { id: 0x1234, ...options });
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== "query") throw new Error("not a query");
  return decoded.query;
}

/** What an honest upstream makes of a question: one A record, padded with TXT to the size wanted. */
function answerTo(sent: Uint8Array, query: Query, sizeBytes = 0, rcode = 0): Uint8Array {
  const record = Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1);
  const padding = Math.max(0, sizeBytes - query.questionEnd - record.length - 12);
  const bytes = new Uint8Array(
    query.questionEnd + record.length + (padding > 0 ? 12 + padding : 0),
  );
  bytes.set(sent.subarray(0, query.questionEnd));
  bytes[2] = 0x81;
  bytes[3] = 0x80 | rcode;
  bytes[7] = padding > 0 ? 2 : 1;
  bytes[11] = 0;
  bytes.set(record, query.questionEnd);
  if (padding > 0) {
    const head = [0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, padding >> 8, padding & 255];
    bytes.set(head, query.questionEnd + record.length);
  }
  return bytes;
}

Deno.test("encodeForward() asks the same question under another id", () => {
  const query = newQuery();
  const sent = encodeForward(query, { id: 0xbeef });
  const message = decodeMessage(sent);
  equal(message?.id, 0xbeef);
  deepEqual(message?.questions, [query.question]);
  equal(message?.edns, null); // no OPT unless the client asked with one
  equal(message?.flags, FLAG.RD);
  deepEqual(sent.subarray(12), query.bytes.subarray(12, query.questionEnd));
});

Deno.test("encodeForward() leaves behind what an IXFR question has beside the question", () => {
  const asked = encodeQuestion({ ...questionOf(NAME, 251), class: 255 }, { id: 1 });
  const soa = [0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, ...Array<number>(22).fill(0)];
  const bytes = Uint8Array.of(...asked, ...soa);
  bytes[9] = 1;
  const decoded = decodeQuery(bytes);
  equal(decoded.kind, "query");
  const query = decoded.kind === "query" ? decoded.query : newQuery();
  const message = decodeMessage(encodeForward(query, { id: 2 }));
  deepEqual([message?.questions.length, message?.authorities.length], [1, 0]);
});

Deno.test("encodeForward() passes RD, AD, CD and DO, and leaves the rest of EDNS behind", async (t) => {
  for (const flag of [FLAG.RD, FLAG.AD, FLAG.CD]) {
    await t.step(`flag ${flag.toString(16)}`, () => {
      const bytes = encodeQuestion(questionOf(NAME, 1), { id: 1 });
      bytes[2] = flag >> 8 | 0x06; // AA and TC mean nothing in a query
      bytes[3] = flag & 255 | 0x80;
      const decoded = decodeQuery(bytes);
      const query = decoded.kind === "query" ? decoded.query : newQuery();
      equal(decodeMessage(encodeForward(query, { id: 2 }))?.flags, flag);
    });
  }
  const sizes: [client: number, asked: number][] = [[4096, 1232], [1232, 1232], [700, 700], [
    0,
    512,
  ]];
  for (const [client, asked] of sizes) {
    await t.step(`size ${client}`, () => {
      const query = newQuery({ udpSizeBytes: client, dnssecOk: true });
      const edns = decodeMessage(encodeForward(query, { id: 2 }))?.edns;
      deepEqual(edns, { udpSizeBytes: asked, version: 0, dnssecOk: true, error: null });
    });
  }
  await t.step("options", () => {
    const bytes = encodeQuestion(questionOf(NAME, 1), { id: 1, udpSizeBytes: 1232 });
    const cookie = Uint8Array.of(0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8);
    const whole = new Uint8Array(bytes.length + cookie.length);
    whole.set(bytes);
    whole.set(cookie, bytes.length);
    whole[bytes.length - 1] = cookie.length;
    const decoded = decodeQuery(whole);
    const sent = encodeForward(decoded.kind === "query" ? decoded.query : newQuery(), { id: 1 });
    deepEqual(sent, encodeForward(newQuery({ id: 1, udpSizeBytes: 1232 }), { id: 1 }));
  });
});

Deno.test("encodeForward() mixes the case of letters and nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (caseBits) => {
    const query = newQuery();
    const sent = encodeForward(query, { id: 0x1234, caseBits });
    deepEqual(decodeMessage(sent)?.questions, [query.question]);
    const flipped = [...sent].filter((byte, at) => byte !== query.bytes[at]);
    equal(flipped.every((byte) => /[A-Za-z]/.test(String.fromCharCode(byte))), true);
  }));
  const all = encodeForward(newQuery(), { id: 1, caseBits: Uint8Array.of(0xff) });
  notDeepEqual(all.subarray(12), newQuery().bytes.subarray(12));
});

Deno.test("acceptAnswer() takes the answer to what was sent and no other", async (t) => {
  const query = newQuery();
  const sent = encodeForward(query, { id: 0xbeef, caseBits: Uint8Array.of(0b01010101) });
  const cases: [name: string, edit: (answer: Uint8Array) => Uint8Array | void, want: boolean][] = [
    ["as it is", () => {}, true],
    ["another id, high", (a) => void (a[0]! ^= 1), false],
    ["another id, low", (a) => void (a[1]! ^= 1), false],
    ["a query", (a) => void (a[2]! &= 0x7f), false],
    ["another opcode", (a) => void (a[2]! |= 0x08), false],
    ["another name", (a) => void (a[13]! ^= 1), false],
    ["another type", (a) => void (a[query.questionEnd - 3] = 28), false],
    ["a type that differs in bit 5", (a) => void (a[query.questionEnd - 4] = 0x20), false],
    ["another class", (a) => void (a[query.questionEnd - 1] = 3), false],
    ["two questions", (a) => void (a[5] = 2), false],
    ["no question but records", (a) => void (a[5] = 0), false],
    ["cut in the question", (a) => a.subarray(0, query.questionEnd - 1), false],
    ["cut in the header", (a) => a.subarray(0, 11), false],
    ["nothing", () => new Uint8Array(), false],
    ["another upstream's SERVFAIL", (a) => void (a[3] = 0x82), true],
  ];
  for (const [name, edit, want] of cases) {
    await t.step(name, () => {
      const answer = answerTo(sent, query);
      const edited = edit(answer) ?? answer;
      equal(acceptAnswer(edited, sent, query) !== null, want);
    });
  }
});

Deno.test("acceptAnswer() tells truncation, response code and folded case", () => {
  const query = newQuery();
  const sent = encodeForward(query, { id: 0xbeef, caseBits: Uint8Array.of(0xff) });
  const answer = answerTo(sent, query, 0, RCODE.NXDOMAIN);
  deepEqual(acceptAnswer(answer, sent, query), { rcode: 3, truncated: false, folded: false });
  answer[2]! |= 0x02;
  answer[13]! ^= 0x20;
  deepEqual(acceptAnswer(answer, sent, query), { rcode: 3, truncated: true, folded: true });
});

Deno.test("acceptAnswer() takes a bare header only for a failure", () => {
  const query = newQuery();
  const sent = encodeForward(query, { id: 0xbeef });
  const bare = (rcode: number) =>
    Uint8Array.of(0xbe, 0xef, 0x81, 0x80 | rcode, 0, 0, 0, 0, 0, 0, 0, 0);
  for (const rcode of [1, 2, 4, 5]) {
    equal(acceptAnswer(bare(rcode), sent, query)?.rcode, rcode);
    const restored = restoreAnswer(bare(rcode), query, { transport: "udp" });
    const message = decodeMessage(restored);
    deepEqual([message?.rcode, message?.id, message?.questions], [rcode, query.id, [
      query.question,
    ]]);
    equal(message!.flags & FLAG.TC, 0);
  }
  for (const rcode of [0, 3]) equal(acceptAnswer(bare(rcode), sent, query), null);
});

Deno.test("acceptAnswer() never throws, and takes no noise", () => {
  const query = newQuery();
  const sent = encodeForward(query, { id: 0xbeef });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
    equal(acceptAnswer(noise, sent, query), null);
  }));
});

Deno.test("restoreAnswer() gives the client its id and spelling back and keeps the rest", () => {
  const query = newQuery();
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.nat(65535), (caseBits, id) => {
      const sent = encodeForward(query, { id, caseBits });
      const answer = answerTo(sent, query);
      const tail = answer.slice(query.questionEnd);
      const restored = restoreAnswer(answer, query, { transport: "udp" });
      equal(decodeMessage(restored)?.id, 0x1234);
      deepEqual(
        restored.subarray(12, query.questionEnd),
        query.bytes.subarray(12, query.questionEnd),
      );
      deepEqual(restored.subarray(query.questionEnd), tail);
    }),
  );
});

Deno.test("restoreAnswer() truncates what the client cannot take", async (t) => {
  const cases: [
    name: string,
    size: number | null,
    transport: "udp" | "tcp",
    bytes: number,
    cut: boolean,
  ][] = [
    ["fits 512", null, "udp", 512, false],
    ["over 512", null, "udp", 513, true],
    ["fits EDNS", 800, "udp", 800, false],
    ["over EDNS", 800, "udp", 801, true],
    ["fits 1232", 4096, "udp", 1232, false],
    ["over 1232", 4096, "udp", 1233, true],
    ["TCP", null, "tcp", 60_000, false],
  ];
  for (const [name, size, transport, bytes, cut] of cases) {
    await t.step(name, () => {
      const query = newQuery(size === null ? {} : { udpSizeBytes: size });
      const answer = answerTo(encodeForward(query, { id: 7 }), query, bytes, RCODE.NXDOMAIN);
      equal(answer.length, bytes);
      const restored = restoreAnswer(answer, query, { transport });
      const message = decodeMessage(restored);
      equal((message!.flags & FLAG.TC) !== 0, cut);
      equal(message?.rcode, RCODE.NXDOMAIN);
      equal(message?.id, 0x1234);
      equal(message?.answers.length, cut ? 0 : 2);
      if (cut) equal(message?.edns !== null, size !== null);
      deepEqual(message?.questions, [query.question]);
    });
  }
});

Deno.test("restoreAnswer() turns NXDOMAIN above names of ours into no data", () => {
  const query = newQuery();
  const sent = encodeForward(query, { id: 7 });
  const soften = (rcode: number, emptyNonTerminal: boolean) =>
    decodeMessage(
      restoreAnswer(answerTo(sent, query, 0, rcode), query, { transport: "udp", emptyNonTerminal }),
    )?.rcode;
  equal(soften(RCODE.NXDOMAIN, true), RCODE.NOERROR);
  equal(soften(RCODE.NXDOMAIN, false), RCODE.NXDOMAIN);
  equal(soften(RCODE.SERVFAIL, true), RCODE.SERVFAIL);
});

Deno.test("claimsAddressIn() finds virtual addresses in foreign answers", () => {
  const query = newQuery();
  const answer = answerTo(encodeForward(query, { id: 7 }), query); // 192.0.2.1
  equal(claimsAddressIn(answer, [parsePrefix("192.0.2.0/24")]), true);
  equal(claimsAddressIn(answer, [parsePrefix("100.64.0.0/10"), parsePrefix("::/0")]), false);
  equal(claimsAddressIn(answer.subarray(0, -1), []), true);
});
