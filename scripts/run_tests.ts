/**
 * Every test in three steps: first what needs no machine of its own, side by side, examples in comments among it,
 * which says within two minutes whether the logic holds; then what builds; then, on the program that was built, what
 * needs namespaces or real sockets, a few files at a time. A step runs whatever came of the one before. What is
 * missing is installed first, where that may be done. A test that passes says nothing; all that a failing file said
 * is in a log beside. At the end stand what was left out, and why, what failed, and the sum:
 *
 *   deno task test                     all
 *   deno task test --filter judge      options are `deno test`'s, for each step
 *   deno task test --no-setup          installs nothing
 *   deno task test unit                that step, set up all the same; so builds and lab
 *   deno task test:unit                the first, nothing installed
 *
 * @module
 */
import { buildPacked } from "../tests/lab/world/packed.ts";
import { countLeftOut, renderLeftOut } from "./setup/left_out.ts";
import { readFacts } from "./setup/machine.ts";
import { familyOf } from "./setup/plan.ts";
import { NO_SETUP, remedyOf, setUp } from "./setup/setup.ts";
import { BuildError, buildShim } from "./shim.ts";
import {
  addUp,
  BROKEN,
  NOTHING,
  renderElapsed,
  renderFailures,
  renderSummary,
} from "./suite/counts.ts";
import { type Run, runDeno } from "./suite/run_deno.ts";
import { testFilesOf } from "./suite/files.ts";
import { inLanes } from "./suite/lanes.ts";
import { beginLog, keepInLog, linesToShow, logPath } from "./suite/report.ts";
import { commandOf, type Lanes, queueOf, type Step, STEPS, WITHOUT_SHIM } from "./suite/steps.ts";

/** Far more than any takes; a file that hangs must not take the others' time. */
const STEP_MS = 30 * 60_000;
const FILE_MS = 20 * 60_000;

const LOG_PATH = logPath((name) => Deno.env.get(name));

const encoder = new TextEncoder();

/** What all steps share. */
interface Conditions {
  /** `deno test`'s. */
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Runs a step; on a terminal with its output as it comes. */
async function runStep(step: Step, { options, env, signal }: Conditions): Promise<Run> {
  const args = commandOf(step, options);
  print(`\n== ${step.name}: deno ${args.join(" ")}\n`);
  const isWatched = Deno.stdout.isTerminal();
  const run = await runDeno(step.name, args, {
    ...{ env, deadlineMs: STEP_MS, signal },
    ...(isWatched ? { sink: write } : {}),
  });
  if (!isWatched) show(run);
  keepFailed(step.name, run);
  return run;
}

/** Runs a step's files in lanes, each shown when it ends. */
async function runInLanes(
  step: Step,
  lanes: Lanes,
  { options, env, signal }: Conditions,
): Promise<Run[]> {
  const command = (file: string) => commandOf({ ...step, paths: [file] }, options);
  print(`\n== ${step.name}: deno ${command("FILE").join(" ")}, ${lanes.count} files at a time\n`);
  const took: [file: string, elapsedMs: number][] = [];
  const runFile = async (file: string, lane: number) => {
    const beganMs = performance.now();
    const run = await runDeno(step.name, command(file), {
      ...{ env, file, deadlineMs: FILE_MS, signal },
    });
    took.push([file, performance.now() - beganMs]);
    print(`-- ${file}, lane ${lane}\n`);
    show(run);
    keepFailed(file, run);
    return run;
  };
  const beganMs = performance.now();
  const { shared, alone } = queueOf(await testFilesOf(step.paths), lanes);
  const runs = [
    ...await inLanes(shared, lanes.count, runFile, signal),
    ...await inLanes(alone, 1, runFile, signal),
  ];
  const elapsed = renderElapsed(performance.now() - beganMs);
  const longest = took.sort(([, a], [, b]) => b - a).slice(0, 12)
    .map(([file, ms]) => `${file} ${renderElapsed(ms)}`);
  print(`\n-- ${step.name} took ${elapsed}; longest: ${longest.join(", ")}\n`);
  return runs;
}

/** Checks the types, which the steps do not do again, and builds the program that they run. */
async function prepare(): Promise<{ readonly runs: Run[]; readonly env: Record<string, string> }> {
  const runs: Run[] = [];
  const check = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "types"],
    cwd: new URL("../", import.meta.url),
  }).output();
  if (!check.success) {
    write(check.stderr);
    runs.push(broken("types", `exit status ${check.code}`));
  }
  // Without root no story runs.
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return { runs, env: {} };
  try {
    return { runs, env: { VNET_BIN: await buildPacked() } };
  } catch (error) {
    print(`${error}\n`);
    runs.push(broken("build", "dist/vnet cannot be built"));
    return { runs, env: {} };
  }
}

function broken(file: string, test: string): Run {
  return { counts: BROKEN, failures: [{ file, test }], ignored: [], lines: [] };
}

function hasFailed({ counts }: Run): boolean {
  return counts.failed + counts.failedSteps > 0;
}

function show(run: Run): void {
  print(linesToShow(run.lines, hasFailed(run)).map((line) => `${line}\n`).join(""));
}

/** Adds all that a failed run said to the log. */
function keepFailed(what: string, run: Run): void {
  const path = LOG_PATH;
  if (!hasFailed(run) || path === null) return;
  const text = `== ${what}, ${new Date().toISOString()}\n${run.lines.join("\n")}\n`;
  try {
    keepInLog(path, text);
    print(`all it said: ${path}\n`);
  } catch (error) {
    print(`${path}: ${error instanceof Error ? error.message : error}\n`);
  }
}

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function print(text: string): void {
  write(encoder.encode(text));
}

/** @returns Why there is no shim, in words, or `null` if there is one. */
async function shimLack(): Promise<string | null> {
  try {
    await buildShim();
    return null;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    return error.message;
  }
}

/** @returns The exit status: 0 only if something ran and nothing failed. */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const plan = await setUp("test", args);
  const told = args.filter((arg) => arg !== NO_SETUP);
  const only = STEPS.find(({ name }) => name === told[0]);
  const options = only === undefined ? told : told.slice(1);
  const startMs = performance.now();
  if (LOG_PATH !== null) beginLog(LOG_PATH);
  const runs: Run[] = [];
  const lack = await shimLack();
  const steps = lack !== null ? [WITHOUT_SHIM] : only === undefined ? STEPS : [only];
  if (lack !== null) {
    print(`${lack}\nOnly what needs no shim is tested\n`);
    // In CI the machine must have all it needs.
    const isExcused = Deno.env.get("CI") === undefined;
    runs.push(
      isExcused ? { counts: NOTHING, failures: [], ignored: [], lines: [] } : broken("shim", lack),
    );
  }
  let env: Record<string, string> | null = null;
  for (const step of steps) {
    if (signal.aborted) {
      runs.push(broken(step.name, "stopped before it began"));
      continue;
    }
    if (step.wantsBuild === true && env === null) {
      const prepared = await prepare();
      env = prepared.env;
      runs.push(...prepared.runs);
    }
    const conditions = { options, env: env ?? {}, signal };
    if (step.lanes === undefined) runs.push(await runStep(step, conditions));
    else runs.push(...await runInLanes(step, step.lanes, conditions));
  }
  const leftOut = [
    ...(lack === null ? [] : [{ what: "gcc", leftOut: "all that needs the shim" }]),
    ...countLeftOut(runs.flatMap(({ ignored }) => ignored)),
  ];
  const family = familyOf((await readFacts()).osRelease);
  const table = renderLeftOut(leftOut, family, remedyOf("test", plan));
  for (const lines of [table, renderFailures(runs.flatMap(({ failures }) => failures))]) {
    if (lines.length > 0) print(`\n${lines.join("\n")}\n`);
  }
  const counts = addUp(runs.map((run) => run.counts));
  print(`\n${renderSummary(counts, performance.now() - startMs)}\n`);
  return counts.passed > 0 && counts.failed + counts.failedSteps === 0 ? 0 : 1;
}

if (import.meta.main) {
  const stop = new AbortController();
  // What ran until then is told, and counted as failed.
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => stop.abort());
  }
  Deno.exit(await main(Deno.args, stop.signal));
}
