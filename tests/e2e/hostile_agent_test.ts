/**
 * An agent with a valid token of narrow limits that speaks the wire itself: what it asks for beyond them it does not
 * get, whoever else is connected, and who asked is on record.
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import {
  app,
  audited,
  CLUSTER,
  echoServer,
  never,
  PROXY_HOST,
  saysHello,
  TestCluster,
  type TestServer,
} from "./cluster.ts";
import { appId } from "../../lib/io/mod.ts";
import { configureLog } from "../../lib/log.ts";
import { StubbornAgent } from "./stubborn_agent.ts";

const NAME = "pay.company.test";

/** Which apps the cluster tells clients of at an address. */
function appsAt(cluster: TestCluster, address: string): string[] {
  return cluster.server.auth.agents.apps()
    .filter(({ app }) => app.public_addrs.includes(address)).map(({ app }) => app.name);
}

const servedBy = (cluster: TestCluster, name: string) =>
  cluster.server.auth.agents.agentsFor(appId(CLUSTER, name)).map(({ name }) => name);

async function open(): Promise<
  AsyncDisposable & { readonly cluster: TestCluster; readonly echo: TestServer }
> {
  const echo = echoServer();
  const cluster = await TestCluster.start([]);
  return {
    cluster,
    echo,
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]();
      await echo[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a public address stays its app's while the app's agent is away", async (t) => {
  await using world = await open();
  const { cluster, echo } = world;
  const pay = { name: "pay", port: echo.port, offer: { public_addrs: [NAME] } };
  const limits = { agent: "true", apps: ["pay"], public_addrs: ["*.company.test"] };
  const honest = await StubbornAgent.join(cluster, pay, limits);
  const { socket } = await honest.connect();
  deepEqual(appsAt(cluster, NAME), ["pay"]);
  await using thief = await StubbornAgent.join(cluster, {
    name: "web",
    port: echo.port,
    offer: { public_addrs: [NAME, `web.${PROXY_HOST}`] },
  }, { agent: "thief", apps: ["web"], public_addrs: ["*"] });

  await t.step("beside it: the thief has the rest of its names, and is told why", async () => {
    const { welcomes } = await thief.connect();
    deepEqual(welcomes[0]?.refused, [{
      app: "web",
      public_addr: NAME,
      code: "public-addr-taken",
      reason: `its public address ${NAME} belongs to the app "pay"`,
    }]);
    deepEqual(appsAt(cluster, NAME), ["pay"]);
    deepEqual(appsAt(cluster, `web.${PROXY_HOST}`), ["web"]);
  });

  await t.step("while it restarts", async () => {
    socket.terminate();
    const { auth } = cluster.server;
    while (servedBy(cluster, "pay").length > 0) await auth.changed(auth.revision(), never());
    deepEqual(appsAt(cluster, NAME), []);
    const { welcomes } = await thief.connect();
    equal(welcomes[0]?.refused[0]?.code, "public-addr-taken");
    deepEqual(appsAt(cluster, NAME), []);
    await honest.connect();
    deepEqual(appsAt(cluster, NAME), ["pay"]);
  });

  await t.step("over a restart of the server, where the thief comes first", async () => {
    await cluster.restart();
    await thief.connect();
    deepEqual(appsAt(cluster, NAME), []);
    await honest.connect();
    deepEqual(appsAt(cluster, NAME), ["pay"]);
  });

  await t.step("the audit log says who took it, and who was refused it", async () => {
    const taken = await audited(cluster, ({ event }) => event === "public_addr.taken");
    deepEqual([taken.name, taken.app, taken.agent], [NAME, "pay", "true"]);
    const refused = await audited(cluster, ({ event }) => event === "agent.app.refused");
    deepEqual([refused.name, refused.app, refused.agent, refused.reason], [
      NAME,
      "web",
      "thief",
      "public-addr-taken",
    ]);
  });

  await t.step("the administrator sees it, gives it away, and takes it back", async () => {
    const { admin } = cluster.server.auth;
    const { refused } = admin.listApps();
    deepEqual(refused.map(({ agent, app, code }) => [agent, app, code]), [
      ["thief", "web", "public-addr-taken"],
    ]);
    const put = (app: string) =>
      admin.putResource(
        { kind: "public_addr", version: "v1", metadata: { name: NAME }, spec: { app } },
        { replace: true },
      );
    await put("web");
    deepEqual(appsAt(cluster, NAME), ["web"]);
    deepEqual(servedBy(cluster, "pay"), []);
    await put("pay");
    deepEqual(appsAt(cluster, NAME), ["pay"]);
    await admin.removeResource("public_addr", NAME);
    deepEqual(appsAt(cluster, NAME), []);
  });
  await honest[Symbol.asyncDispose]();
});

Deno.test("an agent takes no public address that its token does not allow", async (t) => {
  await using world = await open();
  const { cluster, echo } = world;
  const cases: [name: string, addrs: string[], allowed: string[] | undefined, code: string][] = [
    ["its token allows none", ["a.company.test"], undefined, "public-addr-not-allowed"],
    ["another pattern", ["a.company.test"], ["*.dev.test"], "public-addr-not-allowed"],
    ["the proxy's name", [PROXY_HOST], ["*"], "public-addr-taken"],
    ["another app's default name", [`pay.${PROXY_HOST}`], ["*"], "public-addr-taken"],
    ["a name that is a pattern", ["*.company.test"], ["*"], "app-invalid"],
    ["no DNS name", ["a b"], ["*"], "app-invalid"],
    ["one label", ["localhost"], ["*"], "app-invalid"],
    ["a name of control characters", ["a\u0000b.company.test"], ["*"], "app-invalid"],
  ];
  for (const [name, public_addrs, allowed, code] of cases) {
    await t.step(name, async () => {
      await using agent = await StubbornAgent.join(
        cluster,
        { name: "web", port: echo.port, offer: { public_addrs } },
        { apps: ["web"], ...(allowed === undefined ? {} : { public_addrs: allowed }) },
      );
      const { welcomes } = await agent.connect();
      deepEqual(welcomes[0]?.refused.map((one) => [one.app, one.code]), [["web", code]]);
      deepEqual(servedBy(cluster, "web"), []);
    });
  }
  await t.step("nothing of it is kept", async () => {
    const { resources } = await cluster.server.auth.admin.getResources({ kind: "public_addr" });
    deepEqual(resources, []);
    await cluster.restart();
  });
});

Deno.test("an agent with a token for labels does not stand in for an app of others", async () => {
  await using world = await open();
  const { cluster, echo } = world;
  const pay = { name: "pay", port: echo.port };
  await using honest = await StubbornAgent.join(cluster, pay, { agent: "true", apps: ["pay"] });
  await rejects(
    StubbornAgent.join(cluster, pay, { agent: "thief", labels: { env: "dev" } }),
    { code: "app-taken" },
  );
  // One that was there before, when nobody held the name
  const early = { name: "early", port: echo.port };
  await using thief = await StubbornAgent.join(cluster, early, { labels: { env: "dev" } });
  const { welcomes } = await thief.connect();
  deepEqual(servedBy(cluster, "early"), ["stubborn"]);
  await using owner = await StubbornAgent.join(cluster, early, { agent: "owner", apps: ["early"] });
  deepEqual(servedBy(cluster, "early"), [], "from the moment the owner joins, connected or not");
  await owner.connect();
  deepEqual(servedBy(cluster, "early"), ["owner"]);
  equal(welcomes.at(-1)?.refused[0]?.code, "app-taken");
  await honest.connect();
  deepEqual(servedBy(cluster, "pay"), ["true"]);
});

Deno.test("two agents whose tokens name an app serve it both, at the same address", async () => {
  await using world = await open();
  const { cluster, echo } = world;
  const pay = { name: "pay", port: echo.port, offer: { public_addrs: [NAME] } };
  await using first = await StubbornAgent.join(cluster, pay, {
    agent: "first",
    apps: ["pay"],
    public_addrs: [NAME],
  });
  // The address is the app's: the second needs no leave to take it
  await using second = await StubbornAgent.join(cluster, pay, { agent: "second", apps: ["pay"] });
  await first.connect();
  deepEqual((await second.connect()).welcomes[0]?.refused, []);
  deepEqual(servedBy(cluster, "pay"), ["first", "second"]);
  const pool = cluster.pool();
  try {
    const target = await cluster.target("pay");
    for (let i = 0; i < 2; i++) await saysHello(await pool.acquire(target, never()));
  } finally {
    await pool.close();
  }
});

Deno.test("one agent cannot take all names there are", async () => {
  await using world = await open();
  const { cluster, echo } = world;
  await using agent = await StubbornAgent.join(cluster, { name: "web", port: echo.port });
  const { socket, welcomes } = await agent.connect();
  for (let round = 0; round < 4; round++) {
    const apps = Array.from({ length: 30 }, (_, i) => ({
      name: "web",
      labels: {},
      public_addrs: Array.from({ length: 16 }, (_, j) => `n${round}-${i}-${j}.company.test`),
    }));
    const seen = welcomes.length;
    socket.send(JSON.stringify({ type: "hello", version: "1", apps }));
    while (welcomes.length === seen) {
      await new Promise((resolve) => socket.once("message", resolve));
    }
  }
  const { admin } = cluster.server.auth;
  equal((await admin.getResources({ kind: "public_addr" })).resources.length, 1024);
  const events = await admin.readAudit({ limit: 1000, wait_seconds: 0 }, never());
  const refused = events.events.filter(({ event }) => event === "agent.app.refused");
  ok(refused.length <= 64, `${refused.length} are recorded`);
});

Deno.test("an agent's reports of what nobody was given a right to are refused, and on record", async () => {
  await using world = await open();
  const { cluster, echo } = world;
  await using agent = await StubbornAgent.join(cluster, { name: "web", port: echo.port }, {
    apps: ["web"],
  });
  const answers: Record<string, unknown>[] = [];
  agent.onMessage = (message) => void answers.push(message);
  const { socket } = await agent.connect();
  await cluster.target("web");
  const issued = await audited(cluster, ({ event }) => event === "app.cert.issued");
  const event = {
    event: "app.session.start",
    session_id: issued.session_id,
    connection_id: "1",
    user: "alice",
    app: "web",
    port: 5432,
  };
  const events = [
    event,
    { ...event, user: "root" },
    { ...event, app: "pay" },
    { ...event, session_id: "f".repeat(32) },
    { ...event, event: "app.session.end", connection_id: "2", user: "root" },
  ];
  const ask = async (report: Record<string, unknown>) => {
    socket.send(JSON.stringify({ type: "report", ...report }));
    for (;;) {
      const answer = answers.find(({ type, id }) =>
        id === report.id && (type === "reported" || type === "report_failed")
      );
      if (answer !== undefined) return answer;
      await new Promise((resolve) => socket.once("message", resolve));
    }
  };
  const partial = await ask({ id: 1, events, partial: true });
  const refused = partial.refused as { index: number; code: string }[];
  deepEqual(refused.map(({ index, code }) => [index, code]), [
    [1, "right-unknown"],
    [2, "app-unknown"],
    [3, "right-unknown"],
    [4, "right-unknown"],
  ]);
  equal((await ask({ id: 2, events })).code, "right-unknown", "all of it or nothing");
  equal((await ask({ id: 3, events: [{ ...event, event: "login.ok" }] })).type, "report_failed");
  const { events: log } = await cluster.server.auth.admin.readAudit(
    { limit: 1000, wait_seconds: 0 },
    never(),
  );
  const users = log.filter(({ event }) => event === "app.session.start").map((one) => one["user"]);
  deepEqual(users, ["alice"]);
  equal(log.filter(({ event }) => event === "agent.report.refused").length, 8);
});

Deno.test("the agent's log says what is refused, with code and hint", async () => {
  await using world = await open();
  const { cluster, echo } = world;
  await cluster.server.auth.admin.putResource({
    kind: "public_addr",
    version: "v1",
    metadata: { name: NAME },
    spec: { app: "pay" },
  }, { replace: false });
  const records: Record<string, unknown>[] = [];
  await configureLog({
    level: "warning",
    form: "json",
    write: (line) => records.push(JSON.parse(line).properties),
  });
  const yaml = app("web", echo.port).replace("labels", `public_addr: ${NAME}, labels`);
  await using _agent = await cluster.joinAgent("edge", [yaml]);
  const [told] = records.filter(({ code }) => code === "public-addr-taken");
  equal(told?.app, "web");
  ok(String(told?.reason).includes('belongs to the app "pay"'));
  ok(String(told?.hint).includes("vnet ctl edit public_addr/"));
});
