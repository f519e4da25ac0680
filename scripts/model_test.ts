import { equal, ok } from "node:assert/strict";
import { runModel } from "./model/run.ts";

Deno.test("the client says what the model of its rules says, in the first worlds of seed 1", () => {
  const { runs, kinds, answers } = runModel({ runs: 60, seed: 1 });
  equal(runs, 60);
  ok(kinds.size >= 35, `${kinds.size} kinds of steps`);
  ok(answers > 100, `${answers} questions were answered by an app's address`);
});

Deno.test("the client says what the model of its rules says, in worlds that nobody has seen", () => {
  // A failure names its seed, and shows the steps shrunk; `deno task test:model --seed SEED` is the same run.
  equal(runModel({ runs: 40, seed: Date.now() % 1_000_000 }).runs, 40);
});
