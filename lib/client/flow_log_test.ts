import { deepEqual, equal } from "node:assert/strict";
import { FlowLog } from "./flow_log.ts";

Deno.test("FlowLog gives one place to a refusal that repeats itself", () => {
  const log = new FlowLog();
  const refuse = (port: number, uid: number, atMs: number, program: string | null = null) => {
    const entry = log.begin("db.example.test", port, uid, atMs);
    log.refused(entry, { atMs, code: "owner-refused", message: "no", program });
  };
  refuse(5432, 1001, 1000, "/usr/bin/psql");
  refuse(80, 1001, 2000);
  refuse(5432, 1001, 3000); // not looked for: taken for the same program
  refuse(5432, 1001, 4000, "/usr/bin/nc");
  refuse(5432, 1002, 5000);
  const { recent_failures, refused_total } = log.render();
  equal(refused_total, 5);
  const shown = recent_failures.map(({ at, port, uid, program, count }) =>
    [at.slice(17, 19), port, uid, program ?? null, count].join(" ")
  );
  deepEqual(shown, [
    "05 5432 1002  1",
    "04 5432 1001 /usr/bin/nc 1",
    "03 5432 1001 /usr/bin/psql 2",
    "02 80 1001  1",
  ]);
});

Deno.test("FlowLog keeps the latest refusals only", () => {
  const log = new FlowLog();
  for (let port = 1; port <= 50; port++) {
    log.refused(log.begin("a.test", port, null, 0), { atMs: 0, code: "no-agent", message: "no" });
  }
  const { recent_failures, flows } = log.render();
  deepEqual([recent_failures.length, recent_failures[0]?.port, flows.length], [20, 50, 0]);
});
