import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import {
  exchange,
  STRANGER,
  until,
  WEB,
  withDaemon,
} from "../../../tests/doubles/memory_client.ts";
import { memoryApp } from "../../../tests/doubles/memory_cluster.ts";
import { AnyApps } from "../local/mod.ts";
import type { Daemon } from "./daemon.ts";

const PSQL = { pid: 4711, program: "/usr/bin/psql" };
const DB2 = memoryApp("db", { ports: [{ first: 5432, last: 5432 }, { first: 5434, last: 5434 }] });

/** App, port, state and reason of every connection, oldest first. */
function shown(daemon: Daemon): string[] {
  return daemon.connections().connections.toReversed().map((one) =>
    [
      `${one.app}:${one.port}`,
      one.state,
      ...(one.waits_for === undefined ? [] : [one.waits_for]),
      ...(one.error === undefined ? [] : [one.error.code]),
    ].join(" ")
  );
}

Deno.test("Daemon tells of each connection what it carries while it is open, and whose program it is", () =>
  withDaemon({
    before: ({ machine }) => void machine.sockets.holders.set(1, PSQL),
  }, async ({ daemon, connect, clock }) => {
    const made = await connect("db.memory.test", 5432);
    ok(made.kind === "connected");
    equal(await exchange(made.conn, "hello"), "HELLO");
    await until(() => daemon.connections().connections[0]?.pid !== undefined);
    const [open] = daemon.connections().connections;
    deepEqual({ ...open, local: undefined, address: undefined }, {
      ...{ id: 1, cluster: "memory.test", app: "db", name: "db.memory.test", port: 5432 },
      ...{ way: "device", state: "open", started: new Date(clock.nowMs).toISOString() },
      ...{ sent_bytes: 5, received_bytes: 5, uid: 1000, ...PSQL },
      ...{ local: undefined, address: undefined },
    });
    deepEqual([open?.local?.startsWith("100."), open?.address?.endsWith(":5432")], [true, true]);
    equal(daemon.status().connections.sent_bytes, 5, "open ones are counted too");
    clock.nowMs += 2_000;
    made.conn.close();
    await until(() => daemon.connections().connections[0]?.state === "done");
    const { apps: [sum], connections: [done] } = daemon.connections();
    deepEqual([done?.duration_ms, done?.sent_bytes, sum?.sent_bytes, sum?.active], [
      2_000,
      5,
      5,
      0,
    ]);
    equal(daemon.status().connections.sent_bytes, 5, "and counted once");
  }));

Deno.test("Daemon says which connections wait for a second factor, and what became of them", () =>
  withDaemon({}, async ({ daemon, connect, cluster }) => {
    cluster.codes.set("db", "123456");
    const connecting = connect("db.memory.test", 5432);
    await until(() => daemon.questions.mfa.list().length === 1);
    deepEqual(shown(daemon), ["db:5432 waiting second-factor"]);
    daemon.questions.mfa.decline(null);
    equal((await connecting).kind, "refused");
    deepEqual(shown(daemon), ["db:5432 failed mfa-declined"]);
  }));

Deno.test("Daemon asks for no certificate for a wrong port, and counts it once", () =>
  withDaemon({ apps: [DB2, WEB] }, async ({ daemon, connect, cluster }) => {
    equal((await connect("db.memory.test", 5433)).kind, "refused");
    deepEqual(cluster.rights, []);
    deepEqual(shown(daemon), ["db:5433 failed port-not-allowed"]);
    equal((await connect("db.memory.test", 5434)).kind, "connected");
    deepEqual(cluster.rights.map(({ app }) => app), ["db"]);
    await until(() => daemon.status().connections.active === 1);
    deepEqual(
      daemon.connections().apps.map(({ port, opened_total, failed_total }) =>
        `${port} ${opened_total} ${failed_total}`
      ),
      ["undefined 0 1", "5434 1 0"],
    );
    deepEqual(daemon.status().connections.recent_failures.map(({ code, count }) => [code, count]), [
      ["port-not-allowed", 1],
    ]);
  }));

Deno.test("Daemon holds nothing against an app that strangers were kept from", () =>
  withDaemon({}, async ({ daemon, connect }) => {
    equal((await connect("db.memory.test", 5432, STRANGER)).kind, "refused");
    deepEqual(daemon.connections(), { schema: "vnet.connections/1", apps: [], connections: [] });
  }));

Deno.test("Daemon tells root's connections from its owner's: it looks for no process of theirs", () =>
  withDaemon({
    before: ({ machine }) => void machine.sockets.holders.set(1, PSQL),
  }, async ({ daemon, connect }) => {
    equal((await connect("db.memory.test", 5432, 0)).kind, "connected");
    equal((await connect("web.memory.test", 80)).kind, "connected");
    await until(() => daemon.connections().connections[0]?.pid !== undefined);
    const [own, roots] = daemon.connections().connections;
    deepEqual([own?.uid, own?.pid, roots?.uid, roots?.pid], [1000, 4711, 0, undefined]);
  }));

Deno.test("Daemon tells of connections by local ports as of others", () =>
  withDaemon({}, async ({ daemon, cluster, options }) => {
    await using way = new AnyApps({ paths: options.paths, nowMs: options.nowMs, drivers: [] });
    const never = new AbortController().signal;
    const opened = await way.open({ name: "db", cluster: null }, null, never);
    // Its client has the answer a moment before it is noted here.
    await until(() => daemon.connections().connections[0]?.state === "open");
    const [open] = daemon.connections().connections;
    deepEqual([open?.way, open?.pid, open?.program], ["local-port", Deno.pid, Deno.execPath()]);
    opened.flow.abort();
    await until(() => daemon.connections().connections[0]?.state === "done");
    cluster.refusals.set("web", "no-agent");
    await rejects(way.open({ name: "web", cluster: null }, 80, never), { code: "no-agent" });
    deepEqual(shown(daemon), ["db:5432 done", "web:80 failed no-agent"]);
  }));

Deno.test("Daemon says why a cluster cut a connection, whichever way it went", () =>
  withDaemon({}, async ({ daemon, cluster, options, connect }) => {
    const why = () => daemon.status().connections.recent_failures.map(({ code }) => code);
    const made = await connect("db.memory.test", 5432);
    ok(made.kind === "connected");
    cluster.flows[0]!.cut = "access-locked";
    made.conn.close();
    await until(() => why().length === 1);
    await using way = new AnyApps({ paths: options.paths, nowMs: options.nowMs, drivers: [] });
    const never = new AbortController().signal;
    const opened = await way.open({ name: "db", cluster: null }, null, never);
    cluster.flows[1]!.cut = "login-expired";
    opened.flow.abort();
    await until(() => shown(daemon)[1]?.startsWith("db:5432 done") ?? false);
    deepEqual(why().toSorted(), ["access-locked", "login-expired"]);
    deepEqual(shown(daemon), ["db:5432 done access-locked", "db:5432 done login-expired"]);
  }));
