/**
 * Moments as people say them: how long from now, and the hour on their own clock.
 *
 * @module
 */
import { formatMs } from "../../health/mod.ts";

const MINUTE_MS = 60_000;

/**
 * Writes a moment: `in 7 h 40 min (23:33)`, `2 min ago (15:51)`, with the date when it is another day's.
 *
 * @param timeZone That of this machine, if not given.
 */
export function renderMoment(momentMs: number, nowMs: number, timeZone?: string): string {
  const away = Math.abs(momentMs - nowMs);
  const clock = `(${renderClock(momentMs, nowMs, timeZone)})`;
  if (away < 1000) return `now ${clock}`;
  const unit = away < MINUTE_MS ? 1000 : MINUTE_MS;
  const duration = formatMs(Math.round(away / unit) * unit);
  return momentMs > nowMs ? `in ${duration} ${clock}` : `${duration} ago ${clock}`;
}

/** Writes the hour of a moment, `23:33`; with its date when that is not today's. */
export function renderClock(momentMs: number, nowMs: number, timeZone?: string): string {
  const [date, time] = localTime(momentMs, timeZone);
  const [today] = localTime(nowMs, timeZone);
  return date === today ? time : `${date} ${time}`;
}

/** @returns `2026-01-31` and `23:33`. */
function localTime(ms: number, timeZone?: string): readonly [date: string, time: string] {
  const form = new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "short",
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  const [date = "", time = ""] = form.format(ms).split(" ");
  return [date, time];
}
