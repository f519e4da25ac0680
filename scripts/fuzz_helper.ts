/**
 * Fuzzes the helper's serving loop with hostile messages and descriptors, and prints what was tried. Repeatable: the
 * seed is printed.
 *
 *   deno task fuzz:helper [--messages 100000] [--seed 1]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { configureLog } from "../lib/log.ts";
import { thisMachine } from "../lib/os/mod.ts";
import { fuzzHelper } from "./helper/fuzz.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "100000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
  },
});
const seed = Number(values.seed);
print(`seed ${seed}`);
await configureLog({ level: "error", form: "json", write: () => {} });
const started = performance.now();
const { messages, clients, done, carrying, answers, dropped } = await fuzzHelper(
  thisMachine().root,
  { messages: Number(values.messages), seed, alone: true },
);
print(
  `fuzz: ${messages} messages of ${clients} clients in ${
    ((performance.now() - started) / 1000).toFixed(1)
  } s, ${carrying} with descriptors, ${done} done, ${answers} answered, ${dropped} clients dropped, ` +
    "0 differences from the model, no descriptor left",
);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
