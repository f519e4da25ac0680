import { equal } from "node:assert/strict";
import { renderMoment } from "./moment.ts";

const NOW_MS = Date.parse("2026-01-31T15:53:00Z");

Deno.test("renderMoment() says how long from now, and when on the clock of the place", async (t) => {
  const cases: [iso: string, zone: string, want: string][] = [
    ["2026-01-31T23:33:00Z", "UTC", "in 7 h 40 min (23:33)"],
    ["2026-01-31T23:33:00Z", "Europe/Berlin", "in 7 h 40 min (2026-02-01 00:33)"],
    ["2026-02-01T03:52:59.800Z", "UTC", "in 12 h (2026-02-01 03:52)"],
    ["2026-01-31T15:53:30Z", "UTC", "in 30 s (15:53)"],
    ["2026-01-31T15:51:00Z", "UTC", "2 min ago (15:51)"],
    ["2026-01-31T15:53:00.5Z", "UTC", "now (15:53)"],
  ];
  for (const [iso, zone, want] of cases) {
    await t.step(
      `${iso} in ${zone}`,
      () => equal(renderMoment(Date.parse(iso), NOW_MS, zone), want),
    );
  }
});
