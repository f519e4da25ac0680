import type { ClockReading } from "../../machine.ts";

/**
 * Reads the clocks. `performance.now()` is CLOCK_MONOTONIC, which stands still in sleep; /proc/uptime is CLOCK_BOOTTIME,
 * which does not.
 *
 * @see clock_gettime(2), proc_uptime(5)
 */
export function readClocks(): ClockReading {
  return { wallMs: Date.now(), awakeMs: performance.now(), bootMs: readUptimeMs() };
}

function readUptimeMs(): number | null {
  try {
    return parseUptime(Deno.readTextFileSync("/proc/uptime"));
  } catch {
    return null; // A container may hide it.
  }
}

/** Reads /proc/uptime. @returns ms; `null` if it is anything else */
export function parseUptime(text: string): number | null {
  const [, seconds] = /^(\d+(?:\.\d+)?) /.exec(text) ?? [];
  return seconds === undefined ? null : Number(seconds) * 1000;
}
