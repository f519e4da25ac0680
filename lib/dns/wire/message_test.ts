import { equal } from "node:assert/strict";
import fc from "fast-check";
import dnsPacket from "dns-packet";
import { formatRrType } from "./codes.ts";
import { decodeMessage, formatRdata, formatRecord } from "./message.ts";

const CORPUS = new URL("../../../tests/fixtures/dns/hostile_answers.txt", import.meta.url);

Deno.test("decodeMessage() says what the corpus of hostile answers wants", async (t) => {
  const lines = Deno.readTextFileSync(CORPUS).split("\n").filter((line) => /^[^#]/.test(line));
  for (const line of lines) {
    const [name = "", want = "", hex = ""] = line.split(" ");
    await t.step(name, () => {
      const bytes = Uint8Array.fromHex(hex);
      const message = decodeMessage(bytes);
      equal(message === null ? "null" : "message", want);
      for (const record of message?.answers ?? []) formatRecord(bytes, record); // must not throw
    });
  }
});

Deno.test("decodeMessage() reads what dns-packet writes, as dns-packet reads it", () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
  const octet = fc.nat(255);
  const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join("."));
  const record = fc.oneof(
    fc.record({ type: fc.constant("A"), name, ttl: fc.nat(86400), data: ipv4 }),
    fc.record({
      type: fc.constant("AAAA"),
      name,
      ttl: fc.nat(86400),
      data: fc.constant("fd00::1"),
    }),
    fc.record({
      type: fc.constantFrom("CNAME", "NS", "PTR"),
      name,
      ttl: fc.nat(86400),
      data: name,
    }),
    fc.record({
      type: fc.constant("TXT"),
      name,
      ttl: fc.nat(86400),
      data: fc.array(fc.stringMatching(/^[a-z ]{0,30}$/), { minLength: 1, maxLength: 3 }),
    }),
  );
  const section = fc.array(record, { maxLength: 5 });
  fc.assert(
    fc.property(fc.nat(65535), name, section, section, (id, name, answers, authorities) => {
      const bytes = dnsPacket.encode({
        type: "response",
        id,
        flags: 0x0183,
        questions: [{ name, type: "A" }],
        answers,
        authorities,
      } as never);
      const ours = decodeMessage(bytes);
      const theirs = dnsPacket.decode(bytes);
      equal(ours?.id, theirs.id);
      equal(ours?.rcode, 3);
      equal(ours?.questions[0]?.name, theirs.questions?.[0]?.name);
      equal(ours?.answers.length, answers.length);
      for (
        const [section, own] of [[theirs.answers, ours?.answers], [
          theirs.authorities,
          ours?.authorities,
        ]] as const
      ) {
        for (const [i, record] of (section as dnsPacket.Answer[]).entries()) {
          const mine = own![i]!;
          const data = (record as { data: unknown }).data;
          equal(mine.name, record.name);
          equal(formatRrType(mine.type), record.type);
          equal(mine.ttlSeconds, (record as { ttl: number }).ttl);
          const wanted = Array.isArray(data)
            ? data.map((text) => JSON.stringify(new TextDecoder().decode(text))).join(" ")
            : ["CNAME", "NS", "PTR"].includes(record.type)
            ? `${data}.`
            : data;
          equal(formatRdata(bytes, mine), wanted);
        }
      }
    }),
    { numRuns: 1500, seed: 5 },
  );
});

Deno.test("decodeMessage() never throws on noise", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 200 }), (bytes) => {
      const message = decodeMessage(bytes);
      for (const record of message?.answers ?? []) formatRdata(bytes, record);
    }),
    { numRuns: 5000, seed: 6 },
  );
});

Deno.test("formatRdata() writes unknown data as RFC 3597 does", () => {
  const rdata = Uint8Array.of(1, 2, 0xff);
  const record = { name: "a", type: 65280, class: 1, ttlSeconds: 1, rdata, rdataOffset: 0 };
  equal(formatRdata(rdata, record), "\\# 3 0102ff");
  equal(formatRecord(rdata, record), "a. 1 IN TYPE65280 \\# 3 0102ff");
});
