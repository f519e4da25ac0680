import { deepEqual, equal, match, ok } from "node:assert/strict";
import { DB, until, withDaemon } from "../../../tests/doubles/memory_client.ts";
import { memoryApp, MemoryCluster } from "../../../tests/doubles/memory_cluster.ts";
import { contains, parseIpv4, parsePrefix } from "../../ip/mod.ts";
import type { Connected } from "../../../tests/doubles/machine.ts";

const OTHER = "other.test";
const APPS = [
  DB,
  memoryApp("second"),
  memoryApp("custom", { publicAddrs: ["app.company.test"] }),
  memoryApp("nested", { publicAddrs: ["very.deep.company.test"] }),
  memoryApp("many", { ports: [{ first: 80, last: 80 }, { first: 8000, last: 8010 }] }),
];
/** Every app by a name of its own, and a port of it. */
const NAMES = [
  ["db.memory.test", 5432, "db"],
  ["second.memory.test", 7, "second"],
  ["app.company.test", 8, "custom"],
  ["very.deep.company.test", 9, "nested"],
  ["many.memory.test", 8005, "many"],
] as const;

function connOf(connected: Connected) {
  ok(connected.kind === "connected", connected.kind);
  return connected.conn;
}

/** Sends 2000 bytes that are no HTTP ten times, and reads each of them back. */
async function echo(connected: Connected): Promise<void> {
  const conn = connOf(connected);
  const sent = new TextEncoder().encode("\0abc".repeat(500));
  for (let round = 0; round < 10; round++) {
    await conn.write(sent);
    let text = "";
    const buffer = new Uint8Array(4096);
    while (text.length < sent.length) {
      const count = await conn.read(buffer);
      ok(count !== null, "it ended early");
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    equal(text, "\0ABC".repeat(500));
  }
  conn.close();
}

Deno.test("every app of two clusters is reached by name, in its range, with a right for just that", () => {
  const nowMs = () => Date.UTC(2026, 0, 1);
  const other = new MemoryCluster({
    nowMs,
    kind: "other",
    root: { name: OTHER, range: "100.80.0.0/24" },
    apps: [memoryApp("api", { cluster: OTHER, publicAddrs: [`api.${OTHER}`] })],
  });
  return withDaemon({
    apps: APPS,
    zones: ["company.test"],
    other,
    options: { askTxt: () => Promise.resolve({ kind: "answer", names: ["memory.test"] }) },
    before: ({ cluster }) =>
      cluster.publish({ root: { ...cluster.published.root, range: "100.96.0.0/16" } }),
  }, async ({ ask, connect, cluster, daemon }) => {
    await until(() => daemon.status().apps_total === APPS.length + 1);
    for (const [name, port] of NAMES) {
      ok(contains(parsePrefix("100.96.0.0/16"), parseIpv4(await ask(name))), name);
      await echo(await connect(name, port));
    }
    ok(contains(parsePrefix("100.80.0.0/24"), parseIpv4(await ask(`api.${OTHER}`))));
    await echo(await connect(`api.${OTHER}`, 80));
    deepEqual(cluster.rights.map(({ app }) => app), NAMES.map(([, , app]) => app));
    equal(cluster.rights.at(-1)?.port, 8005); // an app of several ports has a right for each
    deepEqual(other.rights.map(({ app }) => app), ["api"]);
  });
});

Deno.test("rights are renewed unseen, three times two lifetimes later", () =>
  withDaemon({
    before: ({ cluster }) => void (cluster.rightLifeMs = 60_000),
  }, async ({ connect, cluster, clock, daemon }) => {
    for (let round = 1; round <= 4; round++) {
      await echo(await connect("db.memory.test", 5432));
      equal(cluster.rights.length, round);
      clock.nowMs += 2 * cluster.rightLifeMs;
    }
    deepEqual(daemon.status().connections.recent_failures, []);
  }));

Deno.test("names that are no app's, or in no zone, are not ours", () =>
  withDaemon({}, async ({ ask, daemon }) => {
    for (const name of ["nothing.memory.test", "db.elsewhere.test", "memory.test"]) {
      equal(daemon.resolve(name, "A").verdict, "forward");
      match(await ask(name), /^SERVFAIL$/); // the test's machine has no other resolver
    }
  }));

Deno.test("connections of two apps by turns need one right each, and are one success each", () =>
  withDaemon({}, async ({ connect, cluster, daemon }) => {
    for (let round = 0; round < 5; round++) {
      await echo(await connect("db.memory.test", 5432));
      await echo(await connect("web.memory.test", 80));
    }
    deepEqual(cluster.rights.map(({ app }) => app), ["db", "web"]);
    await until(() => daemon.connections().apps.every(({ active }) => active === 0));
    deepEqual(
      daemon.connections().apps.map(({ app, opened_total, failed_total, sent_bytes }) =>
        [app, opened_total, failed_total, sent_bytes].join(" ")
      ),
      ["db 5 0 100000", "web 5 0 100000"],
    );
  }));
