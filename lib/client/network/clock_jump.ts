import type { ClockReading } from "../../os/mod.ts";

/** What the clocks did that time by itself does not do. */
export type ClockJump =
  /** The machine slept. */
  | { readonly kind: "slept"; readonly ms: number }
  /** Somebody set the wall clock: forward, or back if negative. */
  | { readonly kind: "clock-set"; readonly ms: number };

/** Less is the clocks' own unevenness, or a server that slews them. */
const JUMP_MIN_MS = 2_000;

/** Compares two readings of the clocks, the earlier first. Sleep counts before a clock that was set. */
export function clockJump(before: ClockReading, after: ClockReading): ClockJump | null {
  const awakeMs = after.awakeMs - before.awakeMs;
  const wallMs = after.wallMs - before.wallMs;
  const passedMs = before.bootMs === null || after.bootMs === null
    ? awakeMs
    : after.bootMs - before.bootMs;
  if (passedMs - awakeMs >= JUMP_MIN_MS) return { kind: "slept", ms: passedMs - awakeMs };
  const setMs = wallMs - passedMs;
  return Math.abs(setMs) >= JUMP_MIN_MS ? { kind: "clock-set", ms: setMs } : null;
}
