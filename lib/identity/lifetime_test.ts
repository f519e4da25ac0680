import { equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  appValidity,
  BACKDATE_MS,
  hostValidity,
  MAX_APP_MS,
  MAX_USER_MS,
  renewalDueMs,
  userValidity,
} from "./lifetime.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = 1_800_000_000_000;

Deno.test("userValidity() is the least of wish, roles and 12 hours", async (t) => {
  const cases: [
    name: string,
    requestedMs: number | null,
    roleMaxMs: number | null,
    hours: number,
  ][] = [
    ["nothing wished, no limit", null, null, 12],
    ["less wished", HOUR_MS, null, 1],
    ["more wished than ever given", 100 * HOUR_MS, null, 12],
    ["the role allows less", 8 * HOUR_MS, 2 * HOUR_MS, 2],
    ["the role allows more than ever given", null, 100 * HOUR_MS, 12],
  ];
  for (const [name, requestedMs, roleMaxMs, hours] of cases) {
    await t.step(name, () => {
      const { notAfterMs, notBeforeMs } = userValidity(NOW_MS, { requestedMs, roleMaxMs });
      equal(notAfterMs, NOW_MS + hours * HOUR_MS);
      equal(notBeforeMs, NOW_MS - BACKDATE_MS);
    });
  }
});

Deno.test("appValidity() never outlives an hour or the user certificate", () => {
  const now = fc.integer({ min: 0, max: 4_000_000_000_000 });
  fc.assert(fc.property(now, fc.integer({ min: 1000, max: MAX_USER_MS }), (nowMs, leftMs) => {
    const { notAfterMs } = appValidity(nowMs, nowMs + leftMs);
    ok(notAfterMs <= nowMs + leftMs && notAfterMs <= nowMs + MAX_APP_MS);
    ok(notAfterMs > nowMs + Math.min(leftMs, MAX_APP_MS) - 1000);
  }));
  throws(() => appValidity(NOW_MS, NOW_MS), RangeError);
  throws(() => appValidity(NOW_MS, Number.NaN), RangeError);
});

Deno.test("renewalDueMs() is at half the life", () => {
  const held = hostValidity(NOW_MS);
  equal(renewalDueMs(held), (held.notBeforeMs + held.notAfterMs) / 2);
});
