import { equal, throws } from "node:assert/strict";
import { decodeQuery } from "../lib/dns/mod.ts";
import { compareWithDnsPacket } from "./dns/differential.ts";
import { bend, fuzz, readCorpus } from "./dns/fuzz.ts";
import { Random } from "./dns/random.ts";

Deno.test("the DNS core holds for the first hundred thousand packets of seed 1", () => {
  const { packets, queries, answers } = fuzz(100_000, 1);
  equal(packets, 100_000);
  // the bending leaves enough that gets past the first checks
  equal(queries > 10_000 && answers > 5_000, true);
});

Deno.test("the DNS core and dns-packet agree about the first messages of seed 1", () => {
  equal(compareWithDnsPacket(2_000, 1).queries, 4_000);
});

Deno.test("bend() gives the same messages for the same seed", () => {
  const corpus = readCorpus();
  const [one, other] = [new Random(9), new Random(9)];
  for (let i = 0; i < 1000; i++) equal(bend(one, corpus).toHex(), bend(other, corpus).toHex());
  throws(() => new Random(1).pick([]), RangeError);
});

Deno.test("readCorpus() finds messages that are queries and messages that are not", () => {
  const kinds = new Set(readCorpus().map((bytes) => decodeQuery(bytes).kind));
  equal(kinds.size, 3);
});
