/** Agents and servers that are away for a moment: whoever connects meanwhile waits, and is not refused. */
import { deepEqual, ok, rejects } from "node:assert/strict";
import { serveAgent } from "../../lib/server/mod.ts";
import { TextLineStream } from "../cli/lines.ts";
import {
  app,
  carriesHello,
  CLUSTER,
  echoServer,
  type Login,
  never,
  PROXY_HOST,
  saysHello,
  TestCluster,
} from "./cluster.ts";

/** What it takes at most, on a machine that has nothing else to do. */
const MAY_TAKE_MS = 2_000;

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** What the client is told that there is. */
async function listed(cluster: TestCluster, login: Login): Promise<string[]> {
  const link = cluster.driver.open(login.profile);
  const view = await link.view(never()).finally(() => link.close());
  return view.apps.map(({ name }) => name);
}

Deno.test("a flow waits for an agent that was there a moment ago", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  const agent = await cluster.joinAgent("edge", [app("echo", echo.port)]);
  const login = await cluster.login();
  const target = await cluster.target("echo", { login });
  const pool = cluster.pool();
  const again = () => serveAgent(agent.config, { nowMs: () => cluster.clock.nowMs });
  try {
    await t.step("the app stays listed, and its flow and its right wait", async () => {
      await agent[Symbol.asyncDispose]();
      deepEqual(await listed(cluster, login), ["echo"]);
      const flow = pool.acquire(target, never());
      const right = cluster.credentials(login, "echo", 0);
      await using _back = await again();
      await saysHello(await flow);
      ok((await right).expiresMs > 0);
    });

    await t.step("over a restart of the server", async () => {
      await using back = await again();
      await back.connected;
      await cluster.restart();
      await saysHello(await pool.acquire(target, never()));
      deepEqual(await listed(cluster, login), ["echo"]);
    });

    await t.step("not for one that the administrator locked out", async () => {
      await using back = await again();
      await back.connected;
      await cluster.served("echo");
      const { agents } = await cluster.server.auth.admin.listAgents();
      await cluster.server.auth.admin.lock({ target: { agent: agents[0]?.id ?? "" } });
      deepEqual(await listed(cluster, login), []);
      await rejects(pool.acquire(target, never()), { code: "no-agent" });
      await rejects(cluster.credentials(login, "echo", 0), { code: "app-unknown" });
    });
  } finally {
    await pool.close();
  }
});

/** The server of a cluster as a process of its own. */
async function startProcess(file: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, "server", "start", "--config", file],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = new TextLineStream(child.stderr);
  await lines.until(/^Serving cluster/);
  return {
    async kill() {
      child.kill("SIGKILL");
      await child.status;
      await lines.close();
    },
  };
}

Deno.test("a server that was killed and started again carries flows within four seconds: twice what it may take", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  const { listenAddress } = cluster.server;
  await using agent = await cluster.joinAgent("edge", [app("echo", echo.port)]);
  await agent.connected;
  const target = await cluster.target("echo");
  const pool = cluster.pool();
  const file = `${cluster.dataDir}/server.yaml`;
  await Deno.writeTextFile(
    file,
    `version: v1
cluster_name: ${CLUSTER}
data_dir: ${cluster.dataDir}
log: { level: info }
proxy_service: { public_addr: ["${PROXY_HOST}:443", "127.0.0.1:443"], listen_addr: "${listenAddress}" }
`,
  );
  await cluster.server[Symbol.asyncDispose]();
  let server = await startProcess(file);
  try {
    await carriesHello(pool, target);
    for (let round = 0; round < 2; round++) {
      await server.kill();
      await new Promise((resolve) => setTimeout(resolve, 2_000)); // down for longer than the first tries take
      server = await startProcess(file);
      const begin = performance.now();
      await carriesHello(pool, target);
      const tookMs = performance.now() - begin;
      ok(tookMs < 2 * MAY_TAKE_MS, `${tookMs} ms`);
    }
  } finally {
    await pool.close();
    await server.kill();
  }
});
