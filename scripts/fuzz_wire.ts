/**
 * Fuzzes all that reads what peers say over the network, and prints what was tried. Repeatable: the seed is printed.
 *
 *   deno task fuzz:wire [--inputs 2000000] [--seed 1]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { fuzzWire } from "./wire/fuzz.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "2000000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
  },
});
const seed = Number(values.seed);
print(`seed ${seed}`);
const started = performance.now();
const tried = fuzzWire(Number(values.inputs), seed);
for (const { name, inputs, understood, slowestMs } of tried) {
  print(
    `${name}: ${inputs} inputs, ${understood} understood, the slowest took ${
      slowestMs.toFixed(2)
    } ms`,
  );
}
const total = tried.reduce((sum, { inputs }) => sum + inputs, 0);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
print(`fuzz: ${total} inputs in ${seconds} s, nothing thrown, nothing that does not hold`);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
