import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { LockTarget } from "../../lib/config/mod.ts";
import type { CarrierPool, CarrierTarget, FlowSummary } from "../../lib/io/mod.ts";
import { appId } from "../../lib/io/mod.ts";
import { pause } from "../../lib/wait.ts";
import {
  audited,
  CLUSTER,
  connPair,
  drain,
  echoServer,
  never,
  readText,
  TestCluster,
  type TestServer,
  writeAll,
} from "./cluster.ts";
import { StubbornAgent } from "./stubborn_agent.ts";

const DAY_MS = 24 * 3_600_000;
const HELLO = new TextEncoder().encode("hello");
/** What a WebSocket is closed with when its peer may not be there. @see RFC 6455 section 7.4.1 */
const POLICY_VIOLATION = 1008;

/** A cluster with one agent that does not obey. */
class World implements AsyncDisposable {
  private constructor(
    readonly echo: TestServer,
    readonly cluster: TestCluster,
    readonly agent: StubbornAgent,
    readonly pool: CarrierPool,
  ) {}

  static async open(): Promise<World> {
    const echo = echoServer();
    const cluster = await TestCluster.start([]);
    const agent = await StubbornAgent.join(cluster, { name: "echo", port: echo.port });
    return new World(echo, cluster, agent, cluster.pool());
  }

  /** Whether clients are sent to an agent for the app. */
  get isListed(): boolean {
    return this.cluster.server.auth.agents.agentsFor(appId(CLUSTER, "echo")).length > 0;
  }

  async hold(
    target: CarrierTarget,
  ): Promise<{ outer: Deno.TcpConn; ended: Promise<FlowSummary> }> {
    const flow = await this.pool.acquire(target, never());
    const { outer, inner } = await connPair();
    const ended = flow.splice(inner, never());
    await says(outer);
    return { outer, ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
    await this.agent[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
    await this.echo[Symbol.asyncDispose]();
  }
}

/** An agent as the proxy knows it when it reports. */
function who(agentId: string, name: string) {
  const scope = { kinds: ["app"], apps: null, labels: {}, publicAddrs: null };
  return { agentId, name, scope, certificateExpiresMs: Infinity };
}

async function says(conn: Deno.Conn): Promise<void> {
  await writeAll(conn, HELLO);
  equal(await readText(conn, HELLO.length), "hello");
}

Deno.test("an agent that is locked out is expelled by the proxy, whatever it does itself", async () => {
  await using world = await World.open();
  const { cluster, agent } = world;
  const { closed } = await agent.connect();
  const target = await cluster.target("echo");
  const { outer, ended } = await world.hold(target);
  ok(world.isListed);
  await cluster.server.auth.admin.lock({ target: { agent: agent.agentId } });
  equal(world.isListed, false, "withdrawn by the time the lock is answered");
  deepEqual(await closed, { code: POLICY_VIOLATION, reason: "access-locked" });
  equal((await ended).reason, "carrier-lost");
  equal((await drain(outer)).bytes, 0);
  outer.close();
  await rejects(agent.connect(), /40[13]/);
  await rejects(world.pool.acquire(target, never()), { code: "no-agent" });
  const record = await audited(cluster, ({ event }) => event === "agent.expelled");
  equal(record.agent_id, agent.agentId);
  equal(record.reason, "access-locked");
});

Deno.test("a client that waits for an agent when it is locked out goes to the next", async () => {
  await using world = await World.open();
  const { cluster, agent } = world;
  agent.answers = false;
  await agent.connect();
  await using next = await StubbornAgent.join(cluster, { name: "echo", port: world.echo.port });
  await next.connect();
  const holding = world.hold(await cluster.target("echo"));
  await agent.asked;
  await cluster.server.auth.admin.lock({ target: { agent: agent.agentId } });
  const { outer, ended } = await holding;
  await outer.closeWrite();
  await drain(outer);
  outer.close();
  equal((await ended).reason, "done");
});

Deno.test("an agent that is removed is expelled", async () => {
  await using world = await World.open();
  const { cluster, agent } = world;
  const { closed } = await agent.connect();
  const { outer, ended } = await world.hold(await cluster.target("echo"));
  await cluster.server.auth.admin.removeAgent(agent.agentId);
  equal(world.isListed, false);
  deepEqual(await closed, { code: POLICY_VIOLATION, reason: "agent-unknown" });
  equal((await ended).reason, "carrier-lost");
  outer.close();
});

Deno.test("an agent that is away and may not come back has the ends of its flows recorded", async (t) => {
  const cases: [reason: string, end: (world: World) => unknown][] = [
    [
      "locked",
      ({ cluster, agent }) => cluster.server.auth.admin.lock({ target: { agent: agent.agentId } }),
    ],
    ["removed", ({ cluster, agent }) => cluster.server.auth.admin.removeAgent(agent.agentId)],
    ["expired", ({ cluster }) => cluster.clock.nowMs += DAY_MS],
  ];
  for (const [reason, end] of cases) {
    await t.step(reason, async () => {
      await using world = await World.open();
      const { cluster, agent } = world;
      const { socket, closed } = await agent.connect();
      await cluster.target("echo");
      const { session_id } = await audited(cluster, ({ event }) => event === "app.cert.issued");
      const { auth } = cluster.server;
      const [{ name = "" } = {}] = await auth.admin.listAgents().then(({ agents }) => agents);
      const flow = { connection_id: "1", user: "alice", app: "echo", port: world.echo.port };
      await auth.reportFlow(
        { ...who(agent.agentId, name), apps: ["echo"] },
        [{ ...flow, event: "app.session.start", session_id: String(session_id) }],
        { partial: false },
      );
      socket.close();
      await closed;
      const limit = AbortSignal.timeout(30_000);
      while ((await auth.admin.status()).flows > 0 && !limit.aborted) await pause(5, limit);
      await end(world);
      const record = await audited(cluster, ({ event }) => event === "app.session.end");
      deepEqual([record.connection_id, record.reason], ["1", "agent-expelled"]);
      const { events } = await auth.admin.readAudit({ limit: 1000, wait_seconds: 0 }, never());
      equal(events.some(({ event }) => event === "agent.expelled"), false, "it was not here");
    });
  }
});

Deno.test("an agent whose certificate has expired is expelled", async () => {
  await using world = await World.open();
  const { cluster, agent } = world;
  const { closed } = await agent.connect();
  const { outer, ended } = await world.hold(await cluster.target("echo"));
  cluster.clock.nowMs += DAY_MS;
  deepEqual(await closed, { code: POLICY_VIOLATION, reason: "certificate-expired" });
  equal(world.isListed, false);
  equal((await ended).reason, "carrier-lost");
  outer.close();
});

Deno.test("an agent that has renewed its certificate keeps what it carries", async () => {
  await using world = await World.open();
  const { cluster, agent } = world;
  const first = await agent.connect();
  const { outer, ended } = await world.hold(await cluster.target("echo"));
  cluster.clock.nowMs += DAY_MS / 2;
  await agent.renew();
  await agent.connect();
  cluster.clock.nowMs += DAY_MS / 2;
  deepEqual(await first.closed, { code: POLICY_VIOLATION, reason: "certificate-expired" });
  ok(world.isListed);
  await says(outer);
  await outer.closeWrite();
  await drain(outer);
  outer.close();
  equal((await ended).reason, "done");
});

Deno.test("a user who is locked out loses the relays, whatever the agent does", async () => {
  const targets: ((loginId: string) => LockTarget)[] = [
    () => ({ user: "alice" }),
    () => ({ role: "dev" }),
    (loginId) => ({ session: loginId }),
  ];
  await Promise.all(targets.map(async (targetOf) => {
    await using world = await World.open();
    const { cluster, agent } = world;
    await agent.connect();
    const { outer, ended } = await world.hold(await cluster.target("echo"));
    const login = await audited(cluster, ({ event }) => event === "login.ok");
    await cluster.server.auth.admin.lock({ target: { user: "bob" }, force: true });
    await says(outer); // somebody else's lock is not hers
    await cluster.server.auth.admin.lock({ target: targetOf(String(login.session_id)) });
    equal((await ended).reason, "carrier-lost");
    outer.close();
  }));
});

Deno.test("a lock that has ended already cuts nothing", async () => {
  await using world = await World.open();
  const { cluster, agent } = world;
  await agent.connect();
  const { outer, ended } = await world.hold(await cluster.target("echo"));
  await cluster.server.auth.admin.putResource({
    kind: "lock",
    version: "v1",
    metadata: { name: "over" },
    spec: {
      target: { agent: agent.agentId },
      expires: new Date(cluster.clock.nowMs - 1000).toISOString(),
    },
  }, { replace: false });
  ok(world.isListed);
  await says(outer);
  await outer.closeWrite();
  await drain(outer);
  outer.close();
  equal((await ended).reason, "done");
});

Deno.test("a user who loses the role loses the relays, whatever the agent does", async (t) => {
  const losses: [name: string, lose: (cluster: TestCluster) => Promise<unknown>][] = [
    ["the user has another role", async (cluster) => {
      await cluster.putRole("other", { env: "prod" });
      await cluster.server.auth.admin.putResource({
        kind: "user",
        version: "v1",
        metadata: { name: "alice" },
        spec: { roles: ["other"] },
      }, { replace: true });
    }],
    ["the role allows it no more", (cluster) => cluster.putRole("dev", { env: "prod" })],
    ["the user is gone", (cluster) => cluster.server.auth.admin.removeUser("alice")],
  ];
  await Promise.all(losses.map(async ([, lose]) => {
    await using world = await World.open();
    const { cluster, agent } = world;
    await agent.connect();
    await cluster.addUser("bob", ["dev"]);
    const target = await cluster.target("echo");
    const { outer, ended } = await world.hold(target);
    await cluster.putRole("unrelated", { env: "dev" });
    await says(outer);
    await lose(cluster);
    equal((await ended).reason, "carrier-lost");
    outer.close();
    await rejects(world.pool.acquire(target, never()), { code: "ticket-refused" });
  }));
  await t.step("a role that another takes the place of cuts nothing", async () => {
    await using world = await World.open();
    const { cluster, agent } = world;
    await agent.connect();
    const { outer, ended } = await world.hold(await cluster.target("echo"));
    await cluster.putRole("other", { env: "dev" });
    await cluster.server.auth.admin.putResource({
      kind: "user",
      version: "v1",
      metadata: { name: "alice" },
      spec: { roles: ["other"] },
    }, { replace: true });
    await says(outer);
    await outer.closeWrite();
    await drain(outer);
    outer.close();
    equal((await ended).reason, "done");
  });
});

Deno.test("an agent has so many control channels and no more: the oldest goes", async () => {
  await using world = await World.open();
  const { agent } = world;
  const first = await agent.connect();
  for (let i = 0; i < 8; i++) await agent.connect();
  deepEqual(await first.closed, { code: POLICY_VIOLATION, reason: "replaced" });
  equal(world.cluster.server.auth.agents.agentsFor(appId(CLUSTER, "echo")).length, 8);
});

Deno.test("an agent that keeps saying hello is not listened to any longer", async () => {
  await using world = await World.open();
  const { agent } = world;
  const { closed, socket } = await agent.connect();
  for (let i = 0; i < 100; i++) socket.send(JSON.stringify(agent.hello()));
  deepEqual(await closed, { code: POLICY_VIOLATION, reason: "too many hellos" });
});
