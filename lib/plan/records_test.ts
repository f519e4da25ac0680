import { deepEqual, equal } from "node:assert/strict";
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import { parseDomainName } from "../dns/mod.ts";
import { believedProof, KEEP_MS, nextQuestionMs, noteOutcome, readTxtAnswer } from "./records.ts";

const ZONE = parseDomainName("company.test");
const NOW = Date.UTC(2026, 0, 1);

/** An answer as another's encoder writes it. @param rcode 0 to 15 */
function answer(texts: readonly (string | readonly string[])[], rcode = 0): Uint8Array {
  return new Uint8Array(packet.encode({
    type: "response",
    id: 7,
    flags: rcode,
    questions: [{ type: "TXT", name: ZONE }],
    answers: texts.map((data) => ({
      type: "TXT" as const,
      name: ZONE,
      ttl: 60,
      data: [data].flat().map((text) => Buffer.from(text)),
    })),
  }));
}

const said = (...names: readonly string[]) => ({ kind: "answer" as const, names });
const failed = { kind: "failed" as const, why: "no answer" };

Deno.test("readTxtAnswer() finds the clusters that records name", async (t) => {
  const cases: [what: string, bytes: Uint8Array, want: object][] = [
    ["one", answer(["vnet-cluster=prod"]), said("prod")],
    ["Teleport's", answer(["teleport-cluster=Teleport.Example.com"]), said("teleport.example.com")],
    [
      "several, among others",
      answer(["v=spf1 -all", "vnet-cluster=b", "vnet-cluster=a"]),
      said("a", "b"),
    ],
    ["in two strings", answer([["vnet-clu", "ster=prod"]]), said("prod")],
    ["with blanks", answer([" vnet-cluster= prod "]), said("prod")],
    ["nothing of the kind", answer(["cluster=prod", "x-vnet-cluster=prod"]), said()],
    ["an empty name", answer(["vnet-cluster="]), said()],
    ["no record", answer([]), said()],
    ["NXDOMAIN", answer([], 3), said()],
    ["SERVFAIL", answer([], 2), { kind: "failed", why: "the resolver answers SERVFAIL" }],
    ["REFUSED with a record", answer(["vnet-cluster=prod"], 5), {
      kind: "failed",
      why: "the resolver answers REFUSED",
    }],
    ["broken", Uint8Array.of(1, 2, 3), { kind: "failed", why: "the answer cannot be read" }],
    [
      "no more than sixteen",
      answer(Array.from({ length: 40 }, (_, n) => `vnet-cluster=c${n + 10}`)),
      said(...Array.from({ length: 16 }, (_, n) => `c${n + 10}`)),
    ],
  ];
  for (const [what, bytes, want] of cases) {
    await t.step(what, () => deepEqual(readTxtAnswer(bytes), want));
  }
});

Deno.test("a grant outlives failed questions for a day, and no definite answer", async (t) => {
  const granted = noteOutcome(null, ZONE, said("prod"), NOW);
  const names = (record: typeof granted, atMs: number) =>
    believedProof(record, atMs).names.map(({ name }) => name);
  await t.step("while the last answer is good", () => deepEqual(names(granted, NOW), ["prod"]));
  await t.step("while questions fail", () => {
    const silent = noteOutcome(granted, ZONE, failed, NOW + KEEP_MS);
    deepEqual(names(silent, NOW + KEEP_MS), ["prod"]);
    equal(believedProof(silent, NOW + KEEP_MS).failure, "no answer");
    deepEqual(names(silent, NOW + KEEP_MS + 1), []);
  });
  await t.step("not once the record is gone", () => {
    deepEqual(names(noteOutcome(granted, ZONE, said(), NOW + 1), NOW + 1), []);
    deepEqual(names(noteOutcome(granted, ZONE, said("b"), NOW + 1), NOW + 1), ["b"]);
  });
  await t.step("failures before any answer grant nothing", () => {
    deepEqual(names(noteOutcome(null, ZONE, failed, NOW), NOW), []);
  });
  await t.step("a good answer begins another day, and `since` stays", () => {
    const again = noteOutcome(granted, ZONE, said("b", "prod"), NOW + KEEP_MS);
    deepEqual(names(again, NOW + 2 * KEEP_MS), ["b", "prod"]);
    deepEqual(again.names.map(({ sinceMs }) => sinceMs - NOW), [KEEP_MS, 0]);
  });
});

Deno.test("nextQuestionMs() asks again in time, sooner where nothing was found", () => {
  const granted = noteOutcome(null, ZONE, said("prod"), NOW);
  const none = noteOutcome(null, ZONE, said(), NOW);
  const silent = noteOutcome(granted, ZONE, failed, NOW + KEEP_MS - 1_000);
  equal(nextQuestionMs(granted, NOW), NOW + 600_000);
  equal(nextQuestionMs(none, NOW), NOW + 120_000);
  // The day's end is a moment to look at the plan, too.
  equal(nextQuestionMs(silent, NOW + KEEP_MS - 1_000), NOW + KEEP_MS + 1);
  equal(nextQuestionMs(silent, NOW + KEEP_MS + 1), NOW + KEEP_MS - 1_000 + 120_000);
  equal(nextQuestionMs(granted, NOW - 1), NOW - 1); // the clock was set back
});
