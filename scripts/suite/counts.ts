/**
 * What `deno test` says of itself: how many tests passed, and which failed.
 *
 * @module
 */

/** What `deno test` counts. */
export interface Counts {
  readonly passed: number;
  readonly passedSteps: number;
  readonly failed: number;
  readonly failedSteps: number;
  readonly ignored: number;
  readonly ignoredSteps: number;
}

export const NOTHING: Counts = {
  passed: 0,
  passedSteps: 0,
  failed: 0,
  failedSteps: 0,
  ignored: 0,
  ignoredSteps: 0,
};

/** A step that broke before it could count. */
export const BROKEN: Counts = { ...NOTHING, failed: 1 };

/** A line without its colours. */
export function plainText(line: string): string {
  // deno-lint-ignore no-control-regex
  return line.replace(/\x1b\[[0-9;]*m/g, "");
}

/** Reads a line of output. @returns `null` if it is no summary of `deno test`. */
export function parseSummary(line: string): Counts | null {
  const plain = plainText(line);
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

/** Writes a time as `deno test` does, to the second. */
export function renderElapsed(elapsedMs: number): string {
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

/** One test that failed. */
export interface Failure {
  /** Where it is declared. */
  readonly file: string;
  /** Its name, and the steps' names down to the one that failed. */
  readonly test: string;
}

/**
 * Reads the list that `deno test` ends with when something failed.
 *
 * @param file Where the tests are, for who knows: `deno test` names the line that declares a test or a step, which
 * may be in another file.
 */
export function parseFailures(lines: readonly string[], file?: string): Failure[] {
  const plain = lines.map(plainText);
  const start = plain.lastIndexOf(" FAILURES ");
  if (start < 0) return [];
  const failures: Failure[] = [];
  for (const line of plain.slice(start + 1)) {
    if (parseSummary(line) !== null) break;
    const [, test, place] = /^(.*) => (.*?)(?::\d+:\d+)?$/.exec(line) ?? [];
    const broken = /^(\S+) \(uncaught error\)$/.exec(line)?.[1];
    if (broken !== undefined) failures.push({ file: file ?? tidy(broken), test: "uncaught error" });
    else if (test !== undefined && place !== undefined) {
      failures.push({ file: file ?? tidy(place), test });
    }
  }
  return failures;
}

function tidy(path: string): string {
  return path.replace(/^\.\//, "");
}

/** @returns The list to end with, a line each; none if nothing failed. */
export function renderFailures(failures: readonly Failure[]): string[] {
  if (failures.length === 0) return [];
  return ["failed:", ...failures.map(({ file, test }) => `  ${file} => ${test}`)];
}
