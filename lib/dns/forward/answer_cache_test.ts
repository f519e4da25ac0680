import { deepEqual, equal } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import dnsPacket from "dns-packet";
import { AnswerCache, answerKey } from "./answer_cache.ts";
import { FLAG } from "../wire/codes.ts";
import { decodeMessage } from "../wire/message.ts";
import { decodeQuery, encodeQuestion, questionOf, type QuestionOptions } from "../wire/query.ts";
import { walkRecords } from "../wire/records.ts";

const A = { name: "www.example", type: "A", ttl: 100, data: "192.0.2.1" } as const;
const CNAME = { name: "www.example", type: "CNAME", ttl: 30, data: "other.example" } as const;

function soa(ttl: number, minimum: number): dnsPacket.Answer {
  const data = { mname: "ns.example", rname: "host.example", serial: 1, refresh: 1, retry: 1 };
  return { name: "example", type: "SOA", ttl, data: { ...data, expire: 1, minimum } };
}

function answer(options: dnsPacket.Packet): Uint8Array {
  return Uint8Array.from(dnsPacket.encode({
    type: "response",
    id: 1,
    questions: [{ name: "www.example", type: "A" }],
    ...options,
  }));
}

Deno.test("AnswerCache keeps what may be kept for as long as it may", async (t) => {
  const opt: dnsPacket.OptAnswer = {
    ...{ type: "OPT", name: ".", udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0 },
    ...{ flags: 0, flag_do: false, options: [] },
  };
  const cases: [name: string, answer: Uint8Array, seconds: number][] = [
    ["one record", answer({ answers: [A] }), 100],
    ["the shortest counts", answer({ answers: [CNAME, A] }), 30],
    ["the authority's too", answer({ answers: [A], authorities: [soa(20, 50)] }), 20],
    ["OPT has no TTL", answer({ answers: [A], additionals: [opt] }), 100],
    ["never over an hour", answer({ answers: [{ ...A, ttl: 86_400 }] }), 3600],
    ["0 is not at all", answer({ answers: [{ ...A, ttl: 0 }] }), 0],
    ["a highest bit counts as 0", answer({ answers: [{ ...A, ttl: 0x8000_0001 }] }), 0],
    ["no data, by the SOA's minimum", answer({ authorities: [soa(900, 60)] }), 60],
    ["no data, by the SOA's TTL", answer({ authorities: [soa(60, 900)] }), 60],
    ["no name", answer({ flags: 3, authorities: [soa(900, 60)] }), 60],
    ["no name without SOA", answer({ flags: 3 }), 0],
    ["no data without SOA", answer({}), 0],
    ["SERVFAIL", answer({ flags: 2, answers: [A] }), 0],
    ["REFUSED", answer({ flags: 5, authorities: [soa(900, 60)] }), 0],
    ["truncated", answer({ flags: FLAG.TC, answers: [A] }), 0],
    ["cut", answer({ answers: [A] }).subarray(0, -1), 0],
    ["too large", answer({ answers: Array(300).fill(A) }), 0],
  ];
  for (const [name, bytes, seconds] of cases) {
    await t.step(name, () => {
      const cache = new AnswerCache({ maxEntries: 4 });
      cache.keep("key", bytes, 1_000);
      if (seconds === 0) {
        equal(cache.find("key", 1_000), null);
        return;
      }
      equal(cache.find("key", 1_000 + seconds * 1000 - 1) === null, false);
      equal(cache.find("key", 1_000 + seconds * 1000), null);
      equal(cache.size, 0);
    });
  }
});

Deno.test("AnswerCache.find() counts TTLs down and claims no authority", () => {
  const cache = new AnswerCache({ maxEntries: 4 });
  cache.keep("key", answer({ flags: FLAG.AA | FLAG.RA, answers: [A] }), 0);
  const found = decodeMessage(cache.find("key", 40_500)!);
  equal(found?.answers[0]?.ttlSeconds, 60);
  equal(found!.flags & (FLAG.AA | FLAG.RA), FLAG.RA);
  const [again] = decodeMessage(cache.find("key", 0)!)!.answers;
  equal(again?.ttlSeconds, 100); // what was given away is not what is kept
});

Deno.test("AnswerCache makes room for the newest", () => {
  const cache = new AnswerCache({ maxEntries: 2 });
  for (const key of ["a", "b", "a", "c"]) cache.keep(key, answer({ answers: [A] }), 0);
  deepEqual(["a", "b", "c"].map((key) => cache.find(key, 1) !== null), [true, false, true]);
  cache.clear();
  equal(cache.size, 0);
});

Deno.test("answerKey() sets apart what must not share an answer", () => {
  const keyOf = (name: string, type: number, options: Partial<QuestionOptions> = {}) => {
    const decoded = decodeQuery(encodeQuestion(questionOf(name, type), { id: 1, ...options }));
    if (decoded.kind !== "query") throw new Error("not a query");
    return answerKey(decoded.query);
  };
  const keys = [
    keyOf("www.example", 1),
    keyOf("www.example", 28),
    keyOf("ww.example", 1),
    keyOf("www.example", 1, { recursionDesired: false }),
    keyOf("www.example", 1, { udpSizeBytes: 1232 }),
    keyOf("www.example", 1, { udpSizeBytes: 1232, dnssecOk: true }),
  ];
  equal(new Set(keys).size, keys.length);
  equal(keyOf("WWW.example", 1, { id: 9 }), keys[0]);
});

Deno.test("walkRecords() sees the records that decodeMessage() sees", () => {
  const type = fc.constantFrom<dnsPacket.Answer>(A, CNAME, soa(5, 5));
  const records = fc.array(type, { maxLength: 5 });
  fc.assert(fc.property(records, records, records, (answers, authorities, additionals) => {
    const bytes = answer({ answers, authorities, additionals });
    const seen: [number, number][] = [];
    const view = Buffer.from(bytes);
    equal(walkRecords(bytes, (section, at) => seen.push([section, view.readUInt16BE(at)])), true);
    const message = decodeMessage(bytes)!;
    const want = [message.answers, message.authorities, message.additionals].flatMap((list, i) =>
      list.map((record) => [i + 1, record.type])
    );
    deepEqual(seen, want);
    for (let end = 0; end < bytes.length; end++) {
      const whole = walkRecords(bytes.subarray(0, end), () => {});
      equal(whole, decodeMessage(bytes.subarray(0, end)) !== null);
    }
  }));
});
