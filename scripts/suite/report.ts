/**
 * What is shown of a run's output: of one that passed its sum, of one that failed what went wrong.
 *
 * @module
 */
import { dirname } from "node:path";
import { parseIgnored } from "../setup/left_out.ts";
import { parseSummary, plainText } from "./counts.ts";

/**
 * Chooses the lines to show.
 *
 * @param lines All that `deno test` said.
 * @returns If something failed, its list of errors and what follows, or everything if it has none; else what was
 * left out, and the summary.
 */
export function linesToShow(lines: readonly string[], hasFailed: boolean): string[] {
  if (!hasFailed) {
    const isShown = (line: string) => parseIgnored(line) !== null || parseSummary(line) !== null;
    return lines.filter(isShown);
  }
  const errors = lines.findLastIndex((line) => plainText(line) === " ERRORS ");
  return lines.slice(Math.max(errors, 0));
}

/** @returns Where all that failing tests said is kept: `tests.log` below the user's cache; `null` without a home. */
export function logPath(env: (name: string) => string | undefined): string | null {
  const home = env("HOME");
  const cache = env("XDG_CACHE_HOME") ?? (home === undefined ? undefined : `${home}/.cache`);
  return cache === undefined ? null : `${cache}/vnet/tests.log`;
}

/** Begins the log anew: it is as long as one run makes it. Whatever is in the way is told when something is kept. */
export function beginLog(path: string): void {
  try {
    Deno.truncateSync(path);
  } catch {
    // There is none yet
  }
}

/** Adds to the log, and makes it if it is missing. */
export function keepInLog(path: string, text: string): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, text, { append: true });
}
