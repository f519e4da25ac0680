import { equal } from "node:assert/strict";
import fc from "fast-check";
import { Patience } from "./patience.ts";

Deno.test("Patience.spend() goes ahead so many times, then rests until the first is long past", () => {
  const patience = new Patience({ times: 3, windowMs: 60_000 });
  const cases: [nowMs: number, restMs: number][] = [
    [0, 0],
    [1_000, 0],
    [2_000, 0],
    [3_000, 57_000],
    [59_999, 1],
    [60_000, 0],
    [60_001, 999], // the one at 1000 still counts
    [200_000, 0],
  ];
  for (const [nowMs, restMs] of cases) equal(patience.spend(nowMs), restMs, `${nowMs}`);
});

Deno.test("Patience.spend() never goes ahead more often than allowed in any window", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 200 }), (gaps) => {
      const patience = new Patience({ times: 4, windowMs: 100 });
      const ahead: number[] = [];
      let nowMs = 0;
      for (const gap of gaps) {
        nowMs += gap;
        if (patience.spend(nowMs) === 0) ahead.push(nowMs);
      }
      for (const at of ahead) {
        equal(ahead.filter((other) => other >= at && other - at < 100).length <= 4, true);
      }
    }),
  );
});
