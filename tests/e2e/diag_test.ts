import { deepEqual, equal, match, ok } from "node:assert/strict";
import {
  app,
  carriesHello,
  connPair,
  echoServer,
  never,
  TestCluster,
  writeAll,
} from "./cluster.ts";

/** Asks a page; what it says, with its status. */
async function ask(address: Deno.NetAddr | null, path: string): Promise<[number, string]> {
  ok(address !== null);
  const response = await fetch(`http://127.0.0.1:${address.port}${path}`);
  return [response.status, await response.text()];
}

/** The value of one line of `/metrics`. */
async function numberOf(address: Deno.NetAddr | null, line: string): Promise<number> {
  const [, page] = await ask(address, "/metrics");
  const found = page.split("\n").find((one) => one.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1) ?? NaN);
}

Deno.test("server and agent say how they are doing", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([], { diag: true });
  const trust = `ca_pin: ${cluster.server.caPin}\ndiag_addr: 127.0.0.1:0`;
  const agent = await cluster.joinAgent("a1", [app("echo", echo.port)], { trust });
  const server = cluster.server.diagAddress;
  const pool = cluster.pool();
  await t.step("both are alive, and ready", async () => {
    for (const one of [server, agent.diagAddress]) {
      deepEqual(await ask(one, "/healthz"), [200, "ok\n"]);
      deepEqual(await ask(one, "/readyz"), [200, "ok\n"]);
    }
  });
  await t.step("an open connection is counted by both", async () => {
    const target = await cluster.target("echo");
    await carriesHello(pool, target);
    const flow = await pool.acquire(target, never());
    const { outer, inner } = await connPair();
    const ended = flow.splice(inner, never());
    await writeAll(outer, new TextEncoder().encode("x"));
    equal(await numberOf(server, "vnet_flows_open"), 1);
    equal(await numberOf(agent.diagAddress, "vnet_flows_open"), 1);
    equal(await numberOf(agent.diagAddress, "vnet_proxy_connected"), 1);
    ok(await numberOf(server, "vnet_relays_open") >= 1);
    equal(await numberOf(server, "vnet_agents_connected"), 1);
    equal(await numberOf(server, "vnet_logins_live"), 1);
    equal(await numberOf(server, 'vnet_audit_events_total{event="app.session.start"}'), 2);
    ok(await numberOf(server, "process_resident_memory_bytes") > 10_000_000);
    outer.close();
    await ended;
  });
  await t.step("no name of a user or an app is told", async () => {
    for (const one of [server, agent.diagAddress]) {
      const [, page] = await ask(one, "/metrics");
      ok(!/alice|echo/.test(page));
      match(page, /^# HELP /);
    }
  });
  await pool.close();
  await agent[Symbol.asyncDispose]();
});
