/**
 * Every test in two steps: first what needs no machine of its own, side by side, examples in comments among it,
 * which says within two minutes whether the logic holds; then what builds, and what needs namespaces, one after the
 * other. The second step runs whatever came of the first. What is missing is installed first, where that may be
 * done; a table at the end says what was left out, and why. The last line adds up both:
 *
 *   deno task test                     both
 *   deno task test --filter judge      options are `deno test`'s, for both
 *   deno task test --no-setup          installs nothing
 *   deno task test unit                the first, set up all the same
 *   deno task test:unit                the first, nothing installed
 *
 * @module
 */

import { countLeftOut, parseIgnored, renderLeftOut } from "./setup/left_out.ts";
import { readFacts } from "./setup/machine.ts";
import { familyOf } from "./setup/plan.ts";
import { NO_SETUP, remedyOf, setUp } from "./setup/setup.ts";
import { BuildError, buildShim } from "./shim.ts";

/** A part of the tests that `deno test` runs in one go. */
export interface Step {
  readonly name: string;
  readonly options: readonly string[];
  /** Folders, files, and `*` within a name. */
  readonly paths: readonly string[];
}

/** Every test file is in exactly one of these. */
export const STEPS: readonly Step[] = [
  {
    name: "unit",
    options: ["--doc", "--parallel"],
    paths: [
      "lib",
      "ffi/mod.ts",
      "scripts/*_test.ts",
      "scripts/docs",
      "scripts/pictures",
      "scripts/setup",
      "tests/cli",
      "tests/docs",
      "tests/doubles",
    ],
  },
  {
    name: "lab",
    options: [],
    // what compiles and packs takes every processor for itself
    paths: [
      "ffi/tests",
      "scripts/pack",
      "scripts/npm",
      "scripts/release",
      "tests/dns",
      "tests/e2e",
      "tests/netns",
      "tests/lab",
    ],
  },
];

/** What can be tested where the shim cannot be built: the folders that compute and do nothing else. */
export const WITHOUT_SHIM: Step = {
  name: "pure",
  options: ["--doc", "--parallel"],
  paths: [
    ...["ip", "cidr", "dns", "config", "refusal", "plan", "wire", "identity", "tunnel", "health"]
      .map((folder) => `lib/${folder}`),
    "lib/status",
  ],
};

/** What `deno test` counts. */
export interface Counts {
  readonly passed: number;
  readonly passedSteps: number;
  readonly failed: number;
  readonly failedSteps: number;
  readonly ignored: number;
  readonly ignoredSteps: number;
}

const NOTHING: Counts = {
  passed: 0,
  passedSteps: 0,
  failed: 0,
  failedSteps: 0,
  ignored: 0,
  ignoredSteps: 0,
};

/** A step that broke before it could count. */
const BROKEN: Counts = { ...NOTHING, failed: 1 };

/** Reads a line of output. @returns `null` if it is no summary of `deno test`. */
export function parseSummary(line: string): Counts | null {
  // deno-lint-ignore no-control-regex
  const plain = line.replace(/\x1b\[[0-9;]*m/g, "");
  if (!/^(ok|FAILED) \| \d+ passed /.test(plain)) return null;
  const numbers = (word: string): [number, number] => {
    const found = new RegExp(`\\| (\\d+) ${word}(?: \\((\\d+) steps?\\))?`).exec(plain);
    return [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  };
  const [passed, passedSteps] = numbers("passed");
  const [failed, failedSteps] = numbers("failed");
  const [ignored, ignoredSteps] = numbers("ignored");
  return { passed, passedSteps, failed, failedSteps, ignored, ignoredSteps };
}

/** Writes a summary as `deno test` does. */
export function renderSummary(counts: Counts, elapsedMs: number): string {
  const { passed, passedSteps, failed, failedSteps, ignored, ignoredSteps } = counts;
  const parts = [
    failed + failedSteps === 0 ? "ok" : "FAILED",
    `${passed} passed${renderSteps(passedSteps)}`,
    `${failed} failed${renderSteps(failedSteps)}`,
  ];
  if (ignored + ignoredSteps > 0) parts.push(`${ignored} ignored${renderSteps(ignoredSteps)}`);
  return `${parts.join(" | ")} (${renderElapsed(elapsedMs)})`;
}

function renderSteps(count: number): string {
  if (count === 0) return "";
  return ` (${count} ${count === 1 ? "step" : "steps"})`;
}

function renderElapsed(elapsedMs: number): string {
  const seconds = Math.round(elapsedMs / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

/** Adds up what several steps counted. */
export function addUp(all: readonly Counts[]): Counts {
  const sum = (key: keyof Counts) => all.reduce((total, counts) => total + counts[key], 0);
  return {
    passed: sum("passed"),
    passedSteps: sum("passedSteps"),
    failed: sum("failed"),
    failedSteps: sum("failedSteps"),
    ignored: sum("ignored"),
    ignoredSteps: sum("ignoredSteps"),
  };
}

/**
 * What a step comes to: its last summary, and a failure more if it ended badly without naming one.
 *
 * @param summary `null` if it printed none, as when a test does not compile.
 */
export function outcome(summary: Counts | null, status: number): Counts {
  if (summary === null) return BROKEN;
  const isUnexplained = status !== 0 && summary.failed + summary.failedSteps === 0;
  return isUnexplained ? addUp([summary, BROKEN]) : summary;
}

/** The arguments of `deno` that run a step. */
export function commandOf(step: Step, options: readonly string[]): string[] {
  return ["test", "-A", ...step.options, ...options, ...step.paths];
}

/** What came of a step: its counts, and what each ignored test needed. */
interface Run {
  readonly counts: Counts;
  readonly ignored: readonly (readonly string[])[];
}

/** Runs a step, its output as it comes. */
async function runStep(step: Step, options: readonly string[]): Promise<Run> {
  const child = new Deno.Command(Deno.execPath(), {
    args: commandOf(step, options),
    cwd: new URL("../", import.meta.url),
    stdout: "piped",
  }).spawn();
  const decoder = new TextDecoder();
  let summary: Counts | null = null;
  let rest = "";
  const ignored: string[][] = [];
  for await (const chunk of child.stdout) {
    await writeAll(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      summary = parseSummary(line) ?? summary;
      const things = parseIgnored(line);
      if (things !== null) ignored.push(things);
    }
  }
  return { counts: outcome(parseSummary(rest) ?? summary, (await child.status).code), ignored };
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

async function print(text: string): Promise<void> {
  await writeAll(new TextEncoder().encode(text));
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
async function main(args: readonly string[]): Promise<number> {
  const plan = await setUp("test", args);
  const told = args.filter((arg) => arg !== NO_SETUP);
  const only = STEPS.find(({ name }) => name === told[0]);
  const options = only === undefined ? told : told.slice(1);
  const startMs = performance.now();
  const runs: Run[] = [];
  const lack = await shimLack();
  const steps = lack !== null ? [WITHOUT_SHIM] : only === undefined ? STEPS : [only];
  if (lack !== null) {
    await print(`${lack}\nOnly what needs no shim is tested\n`);
    // In CI the machine must have all it needs.
    const counts = Deno.env.get("CI") === undefined ? NOTHING : BROKEN;
    runs.push({ counts, ignored: [] });
  }
  for (const step of steps) {
    await print(`\n== ${step.name}: deno ${commandOf(step, options).join(" ")}\n`);
    runs.push(await runStep(step, options));
  }
  const leftOut = [
    ...(lack === null ? [] : [{ what: "gcc", leftOut: "all that needs the shim" }]),
    ...countLeftOut(runs.flatMap(({ ignored }) => ignored)),
  ];
  const family = familyOf((await readFacts()).osRelease);
  const table = renderLeftOut(leftOut, family, remedyOf("test", plan));
  if (table.length > 0) await print(`\n${table.join("\n")}\n`);
  const counts = addUp(runs.map((run) => run.counts));
  await print(`\n${renderSummary(counts, performance.now() - startMs)}\n`);
  return counts.passed > 0 && counts.failed + counts.failedSteps === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
