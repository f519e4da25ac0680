import { deepEqual, equal, ok } from "node:assert/strict";
import { Complaint, retryDelayMs } from "./retry.ts";

Deno.test("retryDelayMs() begins with 50 to 200 ms, stays near for a minute, and then backs off", async (t) => {
  const cases: [name: string, failed: number, least: number, most: number][] = [
    ["what had worked", 0, 50, 200],
    ["once", 1, 80, 320],
    ["some times", 10, 300, 1200],
    ["for a minute", 99, 300, 1200],
    ["for longer", 105, 2000, 30_000],
    ["for days", 1e9, 7500, 30_000],
  ];
  for (const [name, failed, least, most] of cases) {
    await t.step(name, () => {
      const [shortest, longest] = [retryDelayMs(failed, 0), retryDelayMs(failed, 1)];
      ok(shortest >= least && longest <= most, `${shortest} to ${longest}`);
    });
  }
  await t.step("it never gets shorter", () => {
    for (let failed = 0; failed < 200; failed++) {
      ok(retryDelayMs(failed + 1, 0.5) >= retryDelayMs(failed, 0.5), `${failed}`);
    }
  });
  await t.step("a minute of it takes fewer tries than make it back off", () => {
    let ms = 0;
    for (let failed = 0; failed < 100; failed++) ms += retryDelayMs(failed, 0.5);
    ok(ms >= 60_000, `${ms}`);
    equal(Math.round(retryDelayMs(0, 0.5)), 125);
  });
});

Deno.test("Complaint tells a reason once, until there is another, or what was tried has worked", () => {
  const complaint = new Complaint();
  deepEqual(["a", "a", "b", "b", "a"].map((reason) => complaint.isNew(reason)), [
    true,
    false,
    true,
    false,
    true,
  ]);
  deepEqual([complaint.end(), complaint.end(), complaint.isNew("a")], [true, false, true]);
});
