const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
];
const FORM = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/;

/**
 * Reads a duration as people write it: `12h`, `1h30m`, `90s`, `7d`; largest unit first, whole numbers.
 *
 * @returns Milliseconds, or `null` if the text is not a duration.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { formatDuration, parseDuration } from "./duration.ts";
 *
 * equal(parseDuration("1h30m"), 5_400_000);
 * equal(formatDuration(5_400_000), "1h30m");
 * equal(parseDuration("30m1h"), null); // the largest unit comes first
 * ```
 */
export function parseDuration(text: string): number | null {
  const match = FORM.exec(text);
  if (match === null || text === "") return null;
  return UNITS.reduce((sum, [, ms], i) => sum + Number(match[i + 1] ?? 0) * ms, 0);
}

/** Writes a duration as `parseDuration` reads it; parts of a second are dropped. */
export function formatDuration(durationMs: number): string {
  let rest = Math.floor(durationMs / 1000) * 1000;
  let text = "";
  for (const [unit, ms] of UNITS) {
    const count = Math.floor(rest / ms);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * ms;
  }
  return text === "" ? "0s" : text;
}
