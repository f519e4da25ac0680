import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import type { CarrierFlow, CarrierPool, CarrierTarget, FlowSummary } from "../../lib/io/mod.ts";
import { CarrierPool as Pool } from "../../lib/io/mod.ts";
import { serveAgent } from "../../lib/server/mod.ts";
import {
  app,
  audited,
  connPair,
  drain,
  echoServer,
  never,
  readText,
  TestCluster,
  writeAll,
} from "./cluster.ts";

const HALF_A_LIFE_MS = 13 * 3_600_000;
const HELLO = new TextEncoder().encode("hello");

/** Opens a flow to an echo and holds it open: what a program holds, and how the flow will have ended. */
async function hold(
  pool: CarrierPool,
  target: CarrierTarget,
): Promise<{ outer: Deno.TcpConn; ended: Promise<FlowSummary> }> {
  const flow: CarrierFlow = await pool.acquire(target, never());
  const { outer, inner } = await connPair();
  const ended = flow.splice(inner, never());
  await writeAll(outer, HELLO);
  equal(await readText(outer, HELLO.length), "hello");
  return { outer, ended };
}

async function once(pool: CarrierPool, target: CarrierTarget): Promise<void> {
  const { outer, ended } = await hold(pool, target);
  await outer.closeWrite();
  await drain(outer);
  outer.close();
  equal((await ended).reason, "done");
}

Deno.test("an agent asks again for every flow, on carriers that are open already", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const target = await cluster.target("echo");
  const startMs = cluster.clock.nowMs;
  // A client whose clock stands still keeps using what has expired.
  const pool = new Pool({ nowMs: () => startMs });
  try {
    await t.step("a second flow takes the carrier of the first", async () => {
      await once(pool, target);
      const { dialled } = pool.stats();
      await once(pool, target);
      await once(pool, target);
      ok(pool.stats().reused >= 2);
      ok(pool.stats().dialled <= dialled + 1, "only the warm spare may be new");
    });

    await t.step("the role allows it no more: access-denied", async () => {
      const { revision } = { revision: cluster.server.auth.revision() };
      await cluster.putRole("dev", { env: "none" });
      ok(cluster.server.auth.revision() > revision);
      await rejects(pool.acquire(target, never()), { code: "access-denied" });
      await cluster.putRole("dev", { env: "dev" });
      await once(pool, target);
    });

    await t.step("deny wins: access-denied", async () => {
      await cluster.putRole("dev", { env: "dev" }, { env: "d*" });
      await rejects(pool.acquire(target, never()), { code: "access-denied" });
      await cluster.putRole("dev", { env: "dev" });
    });

    await t.step("the certificate has expired: certificate-expired", async () => {
      cluster.clock.nowMs += 3_700_000;
      await rejects(pool.acquire(target, never()), { code: "certificate-expired" });
      cluster.clock.nowMs = startMs;
    });
  } finally {
    await pool.close();
  }
});

Deno.test("starts and ends of sessions are recorded, with bytes as the client sees them", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const pool = cluster.pool();
  try {
    const { outer, ended } = await hold(pool, await cluster.target("echo", { port: 7777 }));
    const start = await audited(cluster, (record) => record.event === "app.session.start");
    equal(start.user, "alice");
    equal(start.app, "echo");
    equal(start.port, 7777);
    ok(/^127\.0\.0\.1:\d+$/.test(String(start.peer)));
    await writeAll(outer, new Uint8Array(1000));
    await outer.closeWrite();
    await drain(outer);
    outer.close();
    await ended;
    const end = await audited(cluster, (record) => record.event === "app.session.end");
    equal(end.connection_id, start.connection_id);
    equal(end.sent_bytes, 1005);
    equal(end.received_bytes, 1005);
    equal(end.reason, "done");
  } finally {
    await pool.close();
  }
});

Deno.test("a lock cuts flows that run, and keeps new ones out", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const target = await cluster.target("echo");
  const pool = cluster.pool();
  try {
    const { outer, ended } = await hold(pool, target);
    await cluster.server.auth.admin.lock({ target: { user: "alice" } });
    equal((await ended).reason, "peer-reset");
    equal((await drain(outer)).bytes, 0);
    outer.close();
    equal(
      (await audited(cluster, ({ event }) => event === "app.session.end")).reason,
      "access-locked",
    );
    await rejects(pool.acquire(target, never()), {
      code: /^(access-locked|ticket-refused)$/,
    });
  } finally {
    await pool.close();
  }
});

Deno.test("a new flow on an open carrier is refused from the moment that the user loses the role", async (t) => {
  const losses: [name: string, code: RegExp, lose: (cluster: TestCluster) => Promise<unknown>][] = [
    ["the user has another role", /^access-denied$/, async (cluster) => {
      await cluster.putRole("other", { env: "prod" });
      await cluster.server.auth.admin.putResource({
        kind: "user",
        version: "v1",
        metadata: { name: "alice" },
        spec: { roles: ["other"] },
      }, { replace: true });
    }],
    [
      "the role allows it no more",
      /^access-denied$/,
      (cluster) => cluster.putRole("dev", { env: "prod" }),
    ],
    [
      "the user is gone",
      /^(access-denied|access-locked|session-ended)$/,
      (cluster) => cluster.server.auth.admin.removeUser("alice"),
    ],
    [
      "the user is locked out",
      /^access-locked$/,
      (cluster) => cluster.server.auth.admin.lock({ target: { user: "alice" } }),
    ],
  ];
  for (const [where, joins] of [["of the server", false], ["elsewhere", true]] as const) {
    for (const [name, code, lose] of losses) {
      await t.step(`${name}; an agent ${where}`, async () => {
        await using echo = echoServer();
        await using cluster = await TestCluster.start(joins ? [] : [app("echo", echo.port)]);
        await using _agent = joins
          ? await cluster.joinAgent("edge", [app("echo", echo.port)])
          : null;
        await cluster.addUser("bob", ["dev"]);
        const login = await cluster.login("bob");
        const target = await cluster.target("echo");
        const others = await cluster.target("echo", { login });
        const pool = cluster.pool();
        try {
          const { outer, ended } = await hold(pool, target);
          await once(pool, target);
          await once(pool, target);
          await lose(cluster);
          const { dialled } = pool.stats();
          await rejects(pool.acquire(target, never()), { code });
          equal(pool.stats().dialled, dialled, "on a carrier that was open");
          // What runs ends too, and is recorded as an end
          equal((await ended).reason, "peer-reset");
          outer.close();
          const end = await audited(
            cluster,
            ({ event, reason }) => event === "app.session.end" && reason !== "done",
          );
          match(String(end.reason), code);
          if (name !== "the role allows it no more") await once(pool, others);
        } finally {
          await pool.close();
        }
      });
    }
  }
});

Deno.test("a joined agent serves, is missed when gone, and is found again when back", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  const agent = await cluster.joinAgent("edge", [app("echo", echo.port)]);
  const target = await cluster.target("echo");
  const pool = cluster.pool();
  try {
    await t.step("its app is reached", () => once(pool, target));

    await t.step("gone: no-agent", async () => {
      await agent[Symbol.asyncDispose]();
      await rejects(pool.acquire(target, never()), { code: "no-agent" });
    });

    await t.step("back with its kept certificate: reached again", async () => {
      await Deno.remove(agent.config.tokenFile ?? "");
      await using back = await serveAgent(agent.config, { nowMs: () => cluster.clock.nowMs });
      await back.connected;
      await once(pool, target);
    });
  } finally {
    await pool.close();
  }
});

Deno.test("an agent serves other apps from one moment to the next", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  await using agent = await cluster.joinAgent("edge", [
    app("kept", echo.port),
    app("gone", echo.port),
  ]);
  const [kept, gone] = agent.config.apps;
  if (kept === undefined || gone === undefined) throw new TypeError("The agent has two apps");
  const [keptTarget, goneTarget] = [await cluster.target("kept"), await cluster.target("gone")];
  const pool = cluster.pool();
  try {
    const [keptFlow, goneFlow] = [await hold(pool, keptTarget), await hold(pool, goneTarget)];

    await t.step("one more, one less, one described differently", async () => {
      const more = { ...kept, name: "more" };
      await agent.serve([{ ...kept, description: "as before" }, more]);
      await cluster.served("more");
      await once(pool, await cluster.target("more"));
    });

    await t.step("flows go on to those it has, and end to those it has not", async () => {
      equal((await goneFlow.ended).reason, "peer-reset");
      goneFlow.outer.close();
      const end = await audited(
        cluster,
        ({ event, app }) => event === "app.session.end" && app === "gone",
      );
      equal(end.reason, "app-unknown");
      await writeAll(keptFlow.outer, HELLO);
      equal(await readText(keptFlow.outer, HELLO.length), "hello");
      await rejects(
        pool.acquire(goneTarget, never()),
        ({ code }) => ["app-unknown", "no-agent"].includes(code),
      );
    });

    await t.step("no cluster says that an agent disagrees with itself", async () => {
      const { auth } = cluster.server;
      while (auth.agents.find("kept")?.app.description !== "as before") {
        await auth.changed(auth.revision(), never());
      }
      deepEqual(auth.agents.refusals(), []);
      await once(pool, keptTarget);
    });

    await t.step("what the cluster refuses leaves all as it was", async () => {
      const many = Array.from({ length: 5_001 }, (_, index) => ({ ...kept, name: `app-${index}` }));
      await rejects(agent.serve(many), { code: "request-malformed" });
      await once(pool, keptTarget);
      await once(pool, await cluster.target("more"));
    });

    await keptFlow.outer.closeWrite();
    await drain(keptFlow.outer);
    keptFlow.outer.close();
    equal((await keptFlow.ended).reason, "done");
  } finally {
    await pool.close();
  }
});

Deno.test("an agent finds its way back to a proxy that was away", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  await using _agent = await cluster.joinAgent("edge", [app("echo", echo.port)]);
  const target = await cluster.target("echo");
  const pool = cluster.pool();
  try {
    const { outer, ended } = await hold(pool, target);
    await cluster.restart();
    equal((await ended).reason, "carrier-lost");
    outer.close();
    await cluster.served("echo");
    await once(pool, target);
  } finally {
    await pool.close();
  }
});

Deno.test("an agent renews its certificate at half its life, and goes on serving", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([], { behindMs: HALF_A_LIFE_MS });
  const first = await cluster.joinAgent("edge", [app("echo", echo.port)]);
  await first[Symbol.asyncDispose]();
  cluster.clock.nowMs += HALF_A_LIFE_MS;
  await using again = await serveAgent(first.config, { nowMs: () => cluster.clock.nowMs });
  await again.connected;
  const renewed = await audited(cluster, ({ event }) => event === "agent.renewed");
  equal(renewed.agent, "edge");
  const pool = cluster.pool();
  try {
    await cluster.served("echo");
    await once(pool, await cluster.target("echo"));
  } finally {
    await pool.close();
  }
});

Deno.test("a token lets one agent in, and no second", async () => {
  await using cluster = await TestCluster.start([]);
  await using first = await cluster.joinAgent("edge", [app("echo", 1)]);
  const config = { ...first.config, dataDir: `${first.config.dataDir}-2` };
  await rejects(serveAgent(config, { nowMs: () => cluster.clock.nowMs }), {
    code: "token-invalid",
  });
  await Deno.remove(config.tokenFile ?? "");
  await rejects(serveAgent(config, { nowMs: () => cluster.clock.nowMs }), {
    code: "join-token-missing",
  });
});

Deno.test("an audit log that cannot be written lets no session begin", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const target = await cluster.target("echo");
  const pool = cluster.pool();
  try {
    await Deno.remove(`${cluster.dataDir}/audit.jsonl`);
    await Deno.mkdir(`${cluster.dataDir}/audit.jsonl`); // root may write anywhere, but not into a directory
    await rejects(pool.acquire(target, never()), { code: "audit-failed" });
    await Deno.remove(`${cluster.dataDir}/audit.jsonl`);
    await once(pool, target);
  } finally {
    await pool.close();
  }
});

Deno.test("an app whose agent has gone is listed with when it was last seen", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  const link = cluster.driver.open((await cluster.login()).profile);
  try {
    const agent = await cluster.joinAgent("rack-1", [app("echo", echo.port)]);
    deepEqual((await link.view(never())).apps.map(({ name }) => name), ["echo"]);
    const goneMs = cluster.clock.nowMs;
    await agent[Symbol.asyncDispose]();
    const { auth } = cluster.server;
    while (auth.agents.apps().length > 0) await auth.changed(auth.revision(), never());
    cluster.clock.nowMs += 5_000; // it does not come back
    for (;;) {
      const revision = auth.revision();
      if ((await link.view(never())).apps.length === 0) break;
      await auth.changed(revision, never());
    }
    const gone = await link.view(never());
    deepEqual(gone.apps, []);
    deepEqual(gone.away?.map(({ name, lastSeenMs }) => [name, lastSeenMs]), [["echo", goneMs]]);
  } finally {
    await link.close();
  }
});
