/**
 * Fuzzes the DNS core, then holds it against dns-packet, and prints what was tried. Repeatable: the seed is printed.
 *
 *   deno task fuzz:dns [--packets 5000000] [--messages 40000] [--seed 1]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { compareWithDnsPacket } from "./dns/differential.ts";
import { fuzz } from "./dns/fuzz.ts";

const { values } = parseArgs({
  options: {
    packets: { type: "string", default: "5000000" },
    messages: { type: "string", default: "40000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
  },
});
const seed = Number(values.seed);
print(`seed ${seed}`);
const started = performance.now();
const { packets, queries, answers, slowestMs } = fuzz(Number(values.packets), seed);
print(
  `fuzz: ${packets} packets in ${
    ((performance.now() - started) / 1000).toFixed(1)
  } s, ${queries} judged, ` +
    `${answers} taken as answers, the slowest took ${slowestMs.toFixed(2)} ms, nothing thrown`,
);
const compared = compareWithDnsPacket(Number(values.messages), seed);
print(
  `dns-packet: ${compared.queries} queries and ${compared.answers} answers or more, 0 differences`,
);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
