import { equal } from "node:assert/strict";
import { minuteOf, spanWords, whenWords } from "./times.ts";

const DAY_MS = 86_400_000;

Deno.test("spanWords() takes the unit that fits", async (t) => {
  const cases: [ms: number, want: string][] = [
    [-5, "0 seconds"],
    [1000, "1 second"],
    [89_999, "89 seconds"],
    [90_000, "1 minute"],
    [3 * 3_600_000, "3 hours"],
    [47 * 3_600_000, "47 hours"],
    [2 * DAY_MS, "2 days"],
    [89 * DAY_MS + 5, "89 days"],
  ];
  for (const [ms, want] of cases) await t.step(want, () => equal(spanWords(ms), want));
});

Deno.test("whenWords() and minuteOf() place a moment", () => {
  equal(whenWords(3 * DAY_MS, 0), "in 3 days");
  equal(whenWords(0, 3 * DAY_MS), "3 days ago");
  equal(minuteOf("2026-01-31T12:00:59.123Z"), "2026-01-31 12:00 UTC");
});
