import { deepEqual, equal, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import dnsPacket from "dns-packet";
import { ENTRIES, newTable } from "../../../tests/dns/table.ts";
import { FLAG, RCODE, RR_TYPE } from "../wire/codes.ts";
import { judge } from "./judge.ts";
import { decodeMessage } from "../wire/message.ts";
import { parseDomainName } from "../name.ts";
import { decodeQuery, encodeQuestion, type Query, questionOf } from "../wire/query.ts";
import { encodeReply, encodeVerdict, REPLY_MAX_BYTES, servfail } from "./reply.ts";
import type { Answer, Verdict } from "./verdict.ts";

const GOLDEN = new URL("../../../tests/fixtures/dns/golden_replies.txt", import.meta.url);

const table = newTable();

function readQuery(bytes: Uint8Array): Query {
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== "query") throw new Error(`Not a query: ${decoded.kind}`);
  return decoded.query;
}

Deno.test("decodeQuery(), judge() and encodeVerdict() give the golden bytes", async (t) => {
  const lines = Deno.readTextFileSync(GOLDEN).split("\n").filter((line) => /^[^#]/.test(line));
  equal(lines.length > 40, true);
  for (const line of lines) {
    const [name = "", query = "", want = ""] = line.split(" ");
    await t.step(name, () => {
      const decoded = decodeQuery(Uint8Array.fromHex(query));
      if (decoded.kind === "drop") throw new Error("dropped");
      const reply = decoded.kind === "error"
        ? decoded.reply
        : encodeVerdict(decoded.query, judge(decoded.query.question, table), { transport: "udp" });
      equal(reply.toHex(), want);
      // a second reader sees the same question and response code
      const read = dnsPacket.decode(Buffer.from(reply)) as dnsPacket.DecodedPacket;
      equal(read.type, "response");
      equal(decodeMessage(reply)?.rcode, (reply[3]! & 15) + (name === "bad-version" ? 16 : 0));
    });
  }
});

Deno.test("encodeReply() says the same over TCP", () => {
  const lines = Deno.readTextFileSync(GOLDEN).split("\n").filter((line) => /^[^#]/.test(line));
  for (const line of lines) {
    const [, hex = "", want = ""] = line.split(" ");
    const decoded = decodeQuery(Uint8Array.fromHex(hex));
    if (decoded.kind !== "query") continue;
    const { query } = decoded;
    const verdict = judge(query.question, table);
    equal(encodeVerdict(query, verdict, { transport: "tcp" }).toHex(), want);
  }
});

/** As many TXT records as it takes to be too large. */
function largeVerdict(count: number): Verdict {
  const answer: Answer = { type: RR_TYPE.TXT, ttlSeconds: 10, rdata: new Uint8Array(100).fill(65) };
  return {
    kind: "answer",
    rule: "app-address",
    zone: parseDomainName("corp.example"),
    answers: Array<Answer>(count).fill(answer),
  };
}

Deno.test("encodeReply() truncates what the client cannot take", async (t) => {
  const cases: [
    name: string,
    size: number | null,
    transport: "udp" | "tcp",
    count: number,
    cut: boolean,
  ][] = [
    ["512 without EDNS", null, "udp", 5, true],
    ["fits without EDNS", null, "udp", 4, false],
    ["what EDNS says", 700, "udp", 6, true],
    ["fits what EDNS says", 700, "udp", 5, false],
    ["never over 1232", 4096, "udp", 11, true],
    ["fits 1232", 4096, "udp", 10, false],
    ["less than 512 counts as 512", 100, "udp", 4, false],
    ["TCP has no such limit", null, "tcp", 11, false],
  ];
  for (const [name, size, transport, count, cut] of cases) {
    await t.step(name, () => {
      const edns = size === null ? {} : { udpSizeBytes: size };
      const query = readQuery(
        encodeQuestion(questionOf("db.corp.example", 16), { id: 9, ...edns }),
      );
      const out = new Uint8Array(8192);
      const reply = out.subarray(0, encodeReply(query, largeVerdict(count), transport, out));
      const message = decodeMessage(reply);
      equal((message!.flags & FLAG.TC) !== 0, cut);
      equal(message?.answers.length, cut ? 0 : count);
      equal(message?.edns === null, size === null); // OPT stays when the rest goes (RFC 6891 section 7)
      if (transport === "udp") {
        equal(reply.length <= Math.min(Math.max(size ?? 512, 512), 1232), true);
      }
    });
  }
});

Deno.test("encodeReply() cuts an error's text, between characters, before anything else", () => {
  const query = readQuery(
    encodeQuestion(questionOf("db.corp.example", 1), { id: 9, udpSizeBytes: 512 }),
  );
  const reply = servfail(query, { code: 22, text: "ü".repeat(500) });
  const error = decodeMessage(reply)?.edns?.error;
  equal(error?.code, 22);
  equal(error?.text, "ü".repeat(100));
  equal(reply.length <= 512, true);
});

Deno.test("encodeReply() fits the longest names and their errors into 512 bytes", () => {
  const label = "a".repeat(63);
  const name = parseDomainName([label, label, label, "a".repeat(61)].join("."));
  const query = readQuery(encodeQuestion(questionOf(name, 65), { id: 9, udpSizeBytes: 512 }));
  const zone = parseDomainName(name.slice(64));
  const error = { code: 0, text: "x".repeat(400) };
  const reply = encodeVerdict(
    query,
    { kind: "nx-domain", rule: "app-trouble", zone, error },
    { transport: "udp" },
  );
  const message = decodeMessage(reply);
  equal(reply.length <= 512, true);
  equal(message!.flags & FLAG.TC, 0);
  equal(message?.authorities[0]?.name, zone);
  equal(message?.edns?.error?.code, 0);
});

Deno.test("servfail() carries the reason only to those who speak EDNS", () => {
  const question = questionOf("db.corp.example", 1);
  const error = { code: 22, text: "no upstream answered within 5 s" };
  const plain = servfail(readQuery(encodeQuestion(question, { id: 1 })), error);
  const edns = servfail(readQuery(encodeQuestion(question, { id: 1, udpSizeBytes: 1232 })), error);
  equal(decodeMessage(plain)?.rcode, RCODE.SERVFAIL);
  equal(decodeMessage(plain)?.edns, null);
  deepEqual(decodeMessage(edns)?.edns?.error, error);
  equal(decodeMessage(edns)!.flags & FLAG.AA, 0);
});

Deno.test("encodeReply() refuses to forward, and to write where there is no room", () => {
  const query = readQuery(encodeQuestion(questionOf("example.org", 1), { id: 1 }));
  const forward = judge(query.question, table);
  equal(forward.kind, "forward");
  throws(() => encodeVerdict(query, forward, { transport: "udp" }), TypeError);
  const verdict = judge(questionOf("db.corp.example", 1), table);
  throws(() => encodeReply(query, verdict, "udp", new Uint8Array(30)), RangeError);
});

Deno.test("encodeReply() is read by dns-packet and by us as the verdict meant it", () => {
  const names = [
    ...ENTRIES.map(([name]) => name),
    "nobody.secret.test",
    "secret.test",
    "b.secret.test",
  ];
  const type = fc.constantFrom(1, 28, 255, 16, 65, 64, 6, 2, 33, 250, 252, 65280);
  const upper = fc.infiniteStream(fc.boolean());
  const out = new Uint8Array(REPLY_MAX_BYTES);
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      type,
      fc.nat(65535),
      fc.option(fc.integer({ min: 0, max: 65535 })),
      upper,
      (name, type, id, size, upper) => {
        const bytes = encodeQuestion(
          questionOf(name, type),
          size === null ? { id } : { id, udpSizeBytes: size },
        );
        for (let at = 12; at < 12 + name.length + 1; at++) {
          if (bytes[at]! >= 0x61 && upper.next().value) bytes[at]! ^= 0x20;
        }
        const query = readQuery(bytes);
        const verdict = judge(query.question, table);
        if (verdict.kind === "forward") throw new Error("a name of ours was forwarded");
        const reply = out.slice(0, encodeReply(query, verdict, "udp", out));
        const theirs = dnsPacket.decode(Buffer.from(reply)) as dnsPacket.DecodedPacket & {
          id: number;
        };
        const ours = decodeMessage(reply)!;
        equal(theirs.id, id);
        deepEqual(reply.subarray(12, query.questionEnd), bytes.subarray(12, query.questionEnd));
        const answers = verdict.kind === "answer" ? verdict.answers : [];
        equal(theirs.answers?.length, answers.length);
        deepEqual(ours.answers.map(({ rdata }) => rdata), answers.map(({ rdata }) => rdata));
        equal(ours.answers.every((answer) => answer.name === name), true);
        equal(theirs.authorities?.length, ours.authorities.length);
        const [soa] = ours.authorities;
        if (soa !== undefined) {
          equal("zone" in verdict && verdict.zone, soa.name);
          const [theirSoa] = theirs.authorities as dnsPacket.SoaAnswer[];
          equal(theirSoa?.data.minimum, 5);
          equal(theirSoa?.data.mname.toLowerCase(), soa.name);
          equal(theirSoa?.data.rname, "nobody.invalid");
          equal(theirSoa?.ttl, 5);
        }
        equal(ours.edns === null, size === null);
      },
    ),
    { numRuns: 4000, seed: 7 },
  );
});
