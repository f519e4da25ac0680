import { deepEqual, equal } from "node:assert/strict";
import type { StatusV1 } from "../../status/mod.ts";
import { isReady, remarks, summarize } from "./summary.ts";

function status(part: Partial<StatusV1>): StatusV1 {
  return { state: "ready", apps_total: 0, findings: [], ...part } as StatusV1;
}

function zones(...zones: string[]): Pick<StatusV1, "dns"> {
  return { dns: { zones } } as unknown as Pick<StatusV1, "dns">;
}

Deno.test("summarize() counts, and says when something is wrong", async (t) => {
  const cases: [part: Partial<StatusV1>, want: string][] = [
    [{}, "vnet is ready: 0 apps in 0 zones"],
    [{ apps_total: 1, ...zones("a.test") }, "vnet is ready: 1 app in 1 zone"],
    [
      { state: "degraded", apps_total: 2, ...zones("a.test") },
      "vnet is up, but degraded; see `vnet status`: 2 apps in 1 zone",
    ],
  ];
  for (const [part, want] of cases) {
    await t.step(want, () => equal(summarize(status(part)), want));
  }
});

Deno.test("remarks() are the findings, with what to do", () => {
  const findings = [{ code: "a", message: "A is so", hint: "Do B" }, { code: "c", message: "C" }];
  deepEqual(remarks(status({ findings })), [
    "warning: A is so [a]",
    "hint: Do B",
    "warning: C [c]",
  ]);
});

Deno.test("isReady() takes a degraded daemon for one that serves", () => {
  const states: StatusV1["state"][] = ["starting", "ready", "degraded", "stopping"];
  deepEqual(states.map((state) => isReady(status({ state }))), [false, true, true, false]);
});
