/**
 * Times as people say them.
 *
 * @module
 */

const UNITS: readonly (readonly [name: string, ms: number, upTo: number])[] = [
  ["second", 1000, 90],
  ["minute", 60_000, 90],
  ["hour", 3_600_000, 48],
  ["day", 86_400_000, Infinity],
];

/** Says how long a time is, in the one unit that fits: `3 hours`. */
export function spanWords(ms: number): string {
  for (const [name, unitMs, upTo] of UNITS) {
    const count = Math.floor(Math.max(0, ms) / unitMs);
    if (count < upTo) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "";
}

/** Says where a moment lies: `in 3 hours`, `3 hours ago`. */
export function whenWords(atMs: number, nowMs: number): string {
  return atMs >= nowMs ? `in ${spanWords(atMs - nowMs)}` : `${spanWords(nowMs - atMs)} ago`;
}

/** Writes a moment to the minute: `2026-01-31 12:00 UTC`. */
export function minuteOf(time: string): string {
  return `${time.slice(0, 16).replace("T", " ")} UTC`;
}
