import { deepEqual, equal } from "node:assert/strict";
import { toldError } from "../../refusal/mod.ts";
import { type FlowEntry, FlowLog } from "./flow_log.ts";

function begin(log: FlowLog, name: string, port: number, uid: number | null): FlowEntry {
  return log.begin(
    { ...{ name, port, uid }, app: null, way: "device", local: null, address: null },
    0,
  );
}

/** Time, port, user, program and count of each refusal that is shown. */
function shown(log: FlowLog): string[] {
  return log.render().recent_failures.map(({ at, port, uid, program, count }) =>
    [at.slice(17, 19), port, uid, program ?? "-", count].join(" ")
  );
}

Deno.test("FlowLog gives one place to a refusal that repeats itself", () => {
  const log = new FlowLog();
  const refuse = (port: number, uid: number, atMs: number) => {
    const entry = begin(log, "db.example.test", port, uid);
    log.refused(entry, { atMs, code: "target-refused", message: "no" });
  };
  refuse(5432, 1000, 1000);
  refuse(80, 1000, 2000);
  refuse(5432, 1000, 3000);
  refuse(5432, 0, 4000);
  deepEqual(shown(log), ["04 5432 0 - 1", "03 5432 1000 - 2", "02 80 1000 - 1"]);
  equal(log.render().refused_total, 4);
});

Deno.test("FlowLog gives one place to a stranger's program, and few to all strangers", () => {
  const log = new FlowLog();
  const refuse = (port: number, uid: number, atMs: number, program: string | null) => {
    const entry = begin(log, "db.example.test", port, uid);
    log.refusedStranger(entry, { atMs, code: "owner-refused", message: "no", program });
  };
  const entry = begin(log, "db.example.test", 1, 1000);
  log.refused(entry, { atMs: 0, code: "target-refused", message: "no" });
  refuse(5432, 1001, 1000, "/usr/bin/psql");
  refuse(80, 1001, 2000, "/usr/bin/psql");
  refuse(80, 1001, 3000, null); // may have been any program
  refuse(80, 1002, 4000, "/usr/bin/psql");
  deepEqual(shown(log), [
    "04 80 1002 /usr/bin/psql 1",
    "03 80 1001 - 1",
    "02 80 1001 /usr/bin/psql 2",
    "00 1 1000 - 1",
  ]);
  for (let uid = 2000; uid < 2100; uid++) refuse(80, uid, 5000, null);
  const { recent_failures } = log.render();
  equal(recent_failures.length, 11);
  equal(recent_failures.at(-1)?.code, "target-refused");
});

Deno.test("FlowLog tells why the other end cut a connection", () => {
  const log = new FlowLog();
  const summary = { sentBytes: 1, receivedBytes: 2, reason: "reset" };
  log.ended(begin(log, "db.example.test", 5432, 1000), summary, 1000);
  log.ended(begin(log, "db.example.test", 5432, 1000), { ...summary, code: "access-locked" }, 2000);
  const { refused_total, sent_bytes, recent_failures } = log.render();
  deepEqual([refused_total, sent_bytes], [1, 2]);
  deepEqual(recent_failures.map(({ at, code, message }) => [at.slice(17, 19), code, message]), [
    ["02", "access-locked", toldError("access-locked", "The connection was cut").message],
  ]);
});

Deno.test("FlowLog keeps the latest refusals only", () => {
  const log = new FlowLog();
  for (let port = 1; port <= 50; port++) {
    log.refused(begin(log, "a.test", port, null), { atMs: 0, code: "no-agent", message: "no" });
  }
  const { recent_failures, flows } = log.render();
  deepEqual([recent_failures.length, recent_failures[0]?.port, flows.length], [20, 50, 0]);
});
