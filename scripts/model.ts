/**
 * Drives the pure half of the client (plan, places, leases, names, verdicts) through random worlds, and holds it
 * against a model of the rules after every step. Repeatable: the seed is printed, and a failure shrunk to few steps.
 *
 *   deno task test:model [--runs 10000] [--seed 1] [--path PATH --replay-path PATH]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { runModel } from "./model/run.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    steps: { type: "string", default: "40" },
    path: { type: "string" },
    "replay-path": { type: "string" },
  },
});
const seed = Number(values.seed);
print(`seed ${seed}`);
const startedMs = performance.now();
const { path, "replay-path": replayPath } = values;
const { runs, steps, questions, answers, kinds } = runModel({
  runs: Number(values.runs),
  seed,
  steps: Number(values.steps),
  ...(path === undefined ? {} : { path }),
  ...(replayPath === undefined ? {} : { replayPath }),
});
for (const [kind, count] of [...kinds].sort()) print(`${`${count}`.padStart(8)}  ${kind}`);
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
print(
  `model: ${runs} runs, ${steps} steps of ${kinds.size} kinds, ${questions} questions compared ` +
    `(${answers} answered by an app's address), 0 differences, in ${seconds} s`,
);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
