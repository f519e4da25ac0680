import { equal } from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

Deno.test("parseDuration() reads durations as people write them", async (t) => {
  const cases: [text: string, want: number | null][] = [
    ["12h", 43_200_000],
    ["1h30m", 5_400_000],
    ["90s", 90_000],
    ["7d", 604_800_000],
    ["0s", 0],
    ["", null],
    ["12", null],
    ["h", null],
    ["30m1h", null], // largest unit first
    ["1.5h", null],
    ["-1h", null],
    ["1h ", null],
    ["9999999h", null],
  ];
  for (const [text, want] of cases) await t.step(text, () => equal(parseDuration(text), want));
});

Deno.test("parseDuration() reads what formatDuration() writes", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 10_000_000 }), (seconds) => {
    equal(parseDuration(formatDuration(seconds * 1000)), seconds * 1000);
  }));
});
