import fc from "fast-check";
import { BOOK_RANDOM_BYTES } from "../../lib/client/state/mod.ts";
import { ModelClient } from "./client.ts";
import { STARTS, stepsOf, type Tally } from "./steps.ts";
import { newWorld } from "./world.ts";

interface RunOptions {
  readonly runs: number;
  readonly seed: number;
  /** Takes up where a failure was shrunk to, as fast-check printed it. */
  readonly path?: string;
  readonly replayPath?: string;
  /** At most so many steps a run. */
  readonly steps?: number;
}

/** What was tried. */
export interface RunSummary {
  readonly runs: number;
  readonly steps: number;
  readonly questions: number;
  /** Of them those that an app's address answers. */
  readonly answers: number;
  /** By kind. */
  readonly kinds: Tally;
}

/** Runs clients through random worlds. @throws Error with the steps, shrunk, the seed and the path of a failure */
export function runModel({ runs, seed, path, replayPath, steps = 40 }: RunOptions): RunSummary {
  const kinds: Tally = new Map();
  let [ran, questions, answers] = [0, 0, 0];
  const random = fc.uint8Array({ minLength: BOOK_RANDOM_BYTES, maxLength: BOOK_RANDOM_BYTES });
  const commands = fc.commands(stepsOf(kinds), {
    maxCommands: steps,
    size: "max",
    ...(replayPath === undefined ? {} : { replayPath }),
  });
  fc.assert(
    fc.property(STARTS, commands, random, (start, steps, bytes) => {
      const model = newWorld();
      start.apply(model);
      const real = new ModelClient(model, bytes);
      fc.modelRun(() => ({ model, real }), steps);
      ran++;
      answers += real.answers;
      questions += real.questions;
    }),
    { numRuns: runs, seed, ...(path === undefined ? {} : { path }), endOnFailure: false },
  );
  const total = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  return { runs: ran, steps: total, questions, answers, kinds };
}
