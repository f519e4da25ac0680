import { deepEqual } from "node:assert/strict";
import type { ClockReading } from "../../os/mod.ts";
import { clockJump } from "./clock_jump.ts";

const HOUR_MS = 3_600_000;

Deno.test("clockJump() tells sleep from a clock that was set, and both from time that passes", async (t) => {
  const before: ClockReading = { wallMs: 1_700_000_000_000, awakeMs: 5_000, bootMs: 9_000 };
  const after = (wallMs: number, awakeMs: number, bootMs: number | null): ClockReading => ({
    wallMs: before.wallMs + wallMs,
    awakeMs: before.awakeMs + awakeMs,
    bootMs: bootMs === null ? null : before.bootMs! + bootMs,
  });
  const cases: [name: string, reading: ClockReading, want: ReturnType<typeof clockJump>][] = [
    ["two seconds", after(2_000, 2_000, 2_000), null],
    ["an hour in which the process was stopped", after(HOUR_MS, HOUR_MS, HOUR_MS), null],
    ["a clock that is slewed", after(2_400, 2_000, 2_000), null],
    ["eight hours of sleep", after(8 * HOUR_MS + 2_000, 2_000, 8 * HOUR_MS + 2_000), {
      kind: "slept",
      ms: 8 * HOUR_MS,
    }],
    ["sleep, and a wall clock that stood still", after(2_000, 2_000, 60_000), {
      kind: "slept",
      ms: 58_000,
    }],
    ["set forward", after(HOUR_MS + 2_000, 2_000, 2_000), { kind: "clock-set", ms: HOUR_MS }],
    ["set back", after(2_000 - HOUR_MS, 2_000, 2_000), { kind: "clock-set", ms: -HOUR_MS }],
    ["sleep where no clock counts it", after(8 * HOUR_MS, 2_000, null), {
      kind: "clock-set",
      ms: 8 * HOUR_MS - 2_000,
    }],
  ];
  for (const [name, reading, want] of cases) {
    await t.step(name, () => deepEqual(clockJump(before, reading), want));
  }
});
