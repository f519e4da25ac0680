import { deepEqual, equal } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import dnsPacket from "dns-packet";
import { formatRcode, RCODE } from "./codes.ts";
import { decodeMessage } from "./message.ts";
import { type Decoded, decodeQuery, encodeQuestion, keepQuery, questionOf } from "./query.ts";

const CORPUS = new URL("../../../tests/fixtures/dns/hostile_queries.txt", import.meta.url);

function readCorpus(url: URL): [name: string, want: string, bytes: Uint8Array][] {
  return Deno.readTextFileSync(url).split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [name = "", want = "", hex = ""] = line.split(" ");
      return [name, want, hex === "-" ? new Uint8Array() : Uint8Array.fromHex(hex)];
    });
}

function summary(decoded: Decoded): string {
  return decoded.kind === "error" ? formatRcode(decoded.rcode) : decoded.kind;
}

Deno.test("decodeQuery() says what the corpus of hostile messages wants", async (t) => {
  for (const [name, want, bytes] of readCorpus(CORPUS)) {
    await t.step(name, () => {
      const decoded = decodeQuery(bytes);
      equal(summary(decoded), want);
      if (decoded.kind !== "error") return;
      const { reply } = decoded;
      // a second reader understands the refusal
      const read = dnsPacket.decode(Buffer.from(reply)) as dnsPacket.DecodedPacket & {
        opcode: string;
      };
      equal(read.id, (bytes[0]! << 8) | bytes[1]!);
      equal(read.type, "response");
      equal(decodeMessage(reply) === null, false);
      equal(
        read.opcode,
        ["QUERY", "IQUERY", "STATUS", undefined, "NOTIFY", "UPDATE"][bytes[2]! >> 3 & 15] ??
          "OPCODE_15",
      );
      equal(reply.length < 300, true);
    });
  }
});

Deno.test("decodeQuery() drops what is shorter than a header and throws at no length", () => {
  for (const [name, , bytes] of readCorpus(CORPUS)) {
    for (let length = 0; length < Math.min(bytes.length, 300); length++) {
      const decoded = decodeQuery(bytes.subarray(0, length));
      if (length < 12) equal(decoded.kind, "drop", name);
    }
  }
});

Deno.test("decodeQuery() answers another EDNS version with BADVERS in an OPT record", () => {
  const bytes = encodeQuestion(questionOf("db.corp.example", 1), {
    id: 0xbeef,
    udpSizeBytes: 4096,
    dnssecOk: true,
  });
  bytes[bytes.length - 5] = 1; // the version
  const decoded = decodeQuery(bytes);
  equal(summary(decoded), "BADVERS");
  const reply = decodeMessage(decoded.kind === "error" ? decoded.reply : new Uint8Array());
  equal(reply?.rcode, RCODE.BADVERS);
  equal(reply?.id, 0xbeef);
  deepEqual(reply?.questions, [questionOf("db.corp.example", 1)]);
  deepEqual(reply?.edns, { udpSizeBytes: 1232, version: 0, dnssecOk: true, error: null });
});

Deno.test("decodeQuery() reads back what encodeQuestion() writes", () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
  const name = fc.array(label, { maxLength: 8 }).map((labels) => labels.join("."));
  const u16 = fc.integer({ min: 0, max: 65535 });
  fc.assert(fc.property(name, u16, u16, u16, fc.option(u16), fc.boolean(), (...args) => {
    const [name, type, rrClass, id, size, dnssecOk] = args;
    const question = { name, type, class: rrClass };
    const edns = size === null ? {} : { udpSizeBytes: size, dnssecOk };
    const bytes = encodeQuestion(question, { id, ...edns });
    const decoded = decodeQuery(bytes);
    if (decoded.kind !== "query") throw new Error(summary(decoded));
    const { query } = decoded;
    deepEqual(query.question, question);
    equal(query.id, id);
    equal(query.flags, 0x0100);
    equal(query.edns, size !== null);
    equal(query.udpSizeBytes, Math.max(size ?? 0, 512));
    equal(query.dnssecOk, size !== null && dnssecOk);
    equal(query.questionEnd, bytes.length - (size === null ? 0 : 11));
  }));
});

Deno.test("decodeQuery() reads what dns-packet writes, as dns-packet reads it", () => {
  const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 8 }).map((labels) => labels.join("."));
  const type = fc.constantFrom("A", "AAAA", "TXT", "MX", "SRV", "CAA", "PTR", "SOA", "NS", "DS");
  fc.assert(
    fc.property(name, type, fc.nat(65535), fc.boolean(), fc.boolean(), (...args) => {
      const [name, type, id, edns, dnssecOk] = args;
      const additionals = edns
        ? [{
          type: "OPT",
          name: ".",
          udpPayloadSize: 4096,
          flags: dnssecOk ? 0x8000 : 0,
          options: [],
        }]
        : [];
      const bytes = dnsPacket.encode(
        { type: "query", id, flags: 0x0110, questions: [{ name, type }], additionals } as never,
      );
      const decoded = decodeQuery(bytes);
      if (decoded.kind !== "query") throw new Error(summary(decoded));
      const { query } = decoded;
      equal(query.question.name, name.toLowerCase());
      equal(query.question.type, decodeMessage(bytes)?.questions[0]?.type);
      equal(dnsPacket.decode(bytes).questions?.[0]?.type, type);
      equal(query.id, id);
      equal(query.flags, 0x0110);
      equal(query.edns, edns);
      equal(query.dnssecOk, edns && dnssecOk);
    }),
    { numRuns: 3000, seed: 3 },
  );
});

Deno.test("decodeQuery() never throws on noise made from real queries", () => {
  const base = encodeQuestion(questionOf("db.corp.example", 28), { id: 1, udpSizeBytes: 1232 });
  const edits = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 });
  const kinds = new Set<string>();
  fc.assert(
    fc.property(edits, fc.nat(base.length), (edits, length) => {
      const bytes = base.slice(0, length);
      for (const [at, value] of edits) if (at < length) bytes[at] = value;
      kinds.add(summary(decodeQuery(bytes)));
      decodeMessage(bytes);
    }),
    { numRuns: 20_000, seed: 4 },
  );
  deepEqual([...kinds].sort(), ["BADVERS", "FORMERR", "NOTIMP", "drop", "query"]);
});

Deno.test("keepQuery() lives on when the buffer is used again", () => {
  const buffer = encodeQuestion(questionOf("db.corp.example", 1), { id: 7 });
  const decoded = decodeQuery(buffer);
  if (decoded.kind !== "query") throw new Error("not a query");
  const kept = keepQuery(decoded.query);
  const before = kept.bytes.slice();
  buffer.fill(0xff);
  deepEqual(kept.bytes, before);
  equal(kept.question.name, "db.corp.example");
});
