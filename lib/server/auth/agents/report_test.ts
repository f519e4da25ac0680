import { deepEqual, equal, rejects } from "node:assert/strict";
import type { FlowEvent } from "../../../wire/mod.ts";
import { Fixture, sharedKey } from "../../../../tests/doubles/auth_service.ts";

const NO_SESSION = "0".repeat(32);
const HOUR_MS = 3_600_000;

function start(app: string, more: Partial<FlowEvent> = {}): FlowEvent {
  return {
    event: "app.session.start",
    session_id: NO_SESSION,
    connection_id: "c",
    user: "alice",
    app,
    port: 1,
    ...more,
  };
}

const ALL = { partial: false };
const SOME = { partial: true };

const recorded = async (f: Fixture, event: string) =>
  (await f.events()).filter((one) => one.event === event);

Deno.test("an agent reports flows of rights that were given, and of no others", async (t) => {
  await using f = await Fixture.open();
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } } });
  const { agent, certificate } = await f.serve(
    { name: "db", labels: { env: "dev" } },
    { name: "web", labels: { env: "dev" }, tcp_ports: [{ port: 80 }] },
  );
  const login = await f.loggedIn("alice", ["dev"]);
  const right = { session_id: await f.right(login, "db") };
  const toPort = { session_id: await f.right(login, "web", 80) };
  const [{ session_id: loginId = "" } = {}] = await recorded(f, "login.ok");
  await f.loggedIn("bob", ["dev"]);
  const cases: [name: string, event: FlowEvent, code: string][] = [
    ["an app that it does not serve", start("other", right), "app-unknown"],
    ["no such session", start("db"), "right-unknown"],
    ["a login, and no right to an app", start("db", { session_id: loginId }), "right-unknown"],
    ["another user", start("db", { ...right, user: "bob" }), "right-unknown"],
    ["another app", start("web", { ...right, port: 80 }), "right-unknown"],
    ["another port", start("web", { ...toPort, port: 81 }), "right-unknown"],
    [
      "the end of a flow that nobody began",
      start("db", { event: "app.session.end" }),
      "right-unknown",
    ],
    [
      "the end of somebody else's flow",
      start("db", { ...right, event: "app.session.end", user: "bob" }),
      "right-unknown",
    ],
  ];
  for (const [name, event, code] of cases) {
    await t.step(name, async () => {
      await rejects(f.auth.reportFlow(agent, [event], ALL), { code });
      const body = { events: [event] };
      equal((await f.ask("POST", "/v1/agent/audit", { certificate, body })).code, code);
      const refused = await f.auth.reportFlow(agent, [start("db", right), event], SOME);
      deepEqual(refused.map((one) => [one.index, one.code]), [[1, code]]);
    });
  }
  await t.step("over HTTPS, what is good of a report is written", async () => {
    const body = { events: [start("db"), start("db", right)], partial: true };
    const { status, body: answer } = await f.ask("POST", "/v1/agent/audit", { certificate, body });
    equal(status, 200);
    deepEqual(answer.refused.map(({ index }: { index: number }) => index), [0]);
  });
  await t.step("only what is good is kept, and what is not is recorded as such", async () => {
    const kept = await recorded(f, "app.session.start");
    equal(kept.length, cases.length + 1);
    for (const { user, app, session_id } of kept) {
      deepEqual([user, app, session_id], ["alice", "db", right.session_id]);
    }
    deepEqual(await recorded(f, "app.session.end"), []);
    const [first] = await recorded(f, "agent.report.refused");
    deepEqual([first?.agent_id, first?.user, first?.app, first?.reason], [
      agent.agentId,
      "alice",
      "other",
      "app-unknown",
    ]);
  });
});

Deno.test("who begins a flow is judged by what is true when it begins", async (t) => {
  const cases: [name: string, code: string, change: (f: Fixture) => unknown][] = [
    [
      "the role allows it no more",
      "access-denied",
      (f) => f.addRole("dev", { allow: { app_labels: { env: "prod" } } }),
    ],
    ["the user has another role", "access-denied", async (f) => {
      await f.addRole("other", {});
      await f.auth.admin.putResource(
        { kind: "user", version: "v1", metadata: { name: "alice" }, spec: { roles: ["other"] } },
        { replace: true },
      );
    }],
    ["a lock", "access-locked", (f) => f.auth.admin.lock({ target: { user: "alice" } })],
    ["the user is gone", "session-ended", (f) => f.auth.admin.removeUser("alice")],
    ["the login was ended", "session-ended", async (f) => {
      const { sessions: [login] } = await f.auth.admin.listSessions();
      await f.auth.admin.removeSession(login!.id);
    }],
    ["the right has expired", "certificate-expired", (f) => f.nowMs += HOUR_MS],
  ];
  for (const [name, code, change] of cases) {
    await t.step(name, async () => {
      await using f = await Fixture.open();
      await f.addRole("dev", { allow: { app_labels: { env: "dev" } } });
      const { agent } = await f.serve({ name: "db", labels: { env: "dev" } });
      const right = { session_id: await f.right(await f.loggedIn("alice", ["dev"]), "db") };
      await f.auth.reportFlow(agent, [start("db", right)], ALL);
      await change(f);
      const refused = await f.auth.reportFlow(agent, [start("db", right)], SOME);
      deepEqual(refused.map((one) => one.code), [code]);
      const end = start("db", { ...right, event: "app.session.end" });
      deepEqual(await f.auth.reportFlow(agent, [end], SOME), [], "what ended is told all the same");
    });
  }
});

Deno.test("the end of a flow is told after its right is forgotten, also by an agent that was away", async () => {
  await using f = await Fixture.open();
  const { agent, instance } = await f.serve({ name: "db" });
  const right = { session_id: await f.right(await f.loggedIn("alice"), "db") };
  await f.auth.reportFlow(agent, [start("db", right)], ALL);
  f.auth.agents.disconnected(instance);
  equal((await f.auth.admin.status()).flows, 0);
  await f.serve({ name: "db" });
  f.nowMs += 24 * HOUR_MS;
  const end = start("db", { ...right, event: "app.session.end" });
  await rejects(f.auth.reportFlow(agent, [{ ...end, user: "bob" }], ALL), {
    code: "right-unknown",
  });
  await f.auth.reportFlow(agent, [end], ALL);
  equal((await recorded(f, "app.session.end")).length, 1);
});

Deno.test("refused reports are recorded so often and no oftener, and how many more there were", async () => {
  await using f = await Fixture.open();
  const { agent } = await f.serve({ name: "db" });
  const flood = Array.from({ length: 200 }, () => start("db"));
  equal((await f.auth.reportFlow(agent, flood, SOME)).length, 200);
  equal((await recorded(f, "agent.report.refused")).length, 32);
  f.nowMs += 60_000;
  await f.auth.reportFlow(agent, [start("db")], SOME);
  const last = (await recorded(f, "agent.report.refused")).at(-1);
  equal(last?.unrecorded, 168);
});

Deno.test("an agent that reports more than can be written is told so, and others are heard", async () => {
  await using f = await Fixture.open();
  const { agent } = await f.serve({ name: "db" });
  const right = { session_id: await f.right(await f.loggedIn("alice"), "db") };
  const report = (who: typeof agent, connection: string) =>
    f.auth.reportFlow(
      who,
      Array.from({ length: 256 }, (_, j) =>
        start("db", { ...right, connection_id: `${connection}.${j}` })),
      ALL,
    );
  const flood = Array.from(
    { length: 20 },
    (_, i) => report(agent, `${i}`).then(() => "written", ({ code }) => code),
  );
  const other = { ...agent, agentId: "other", name: "other" };
  const heard = f.auth.reportFlow(other, [start("db", right)], ALL);
  const outcomes = await Promise.all(flood);
  await heard;
  equal(outcomes[0], "written");
  equal(outcomes.at(-1), "busy");
  await f.auth.reportFlow(agent, [start("db", right)], ALL);
});

Deno.test("an agent renews its certificate so often and no oftener", async () => {
  await using f = await Fixture.open();
  const { certificate } = await f.serve({ name: "db" });
  const renew = () =>
    f.ask("POST", "/v1/agent/renew", {
      certificate,
      body: { apps: ["db"], public_key: sharedKey.publicKeyPem },
    });
  const codes: (string | null)[] = [];
  for (let i = 0; i < 40 && codes.at(-1) !== "rate-limited"; i++) codes.push((await renew()).code);
  equal(codes[0], null);
  equal(codes.at(-1), "rate-limited");
  f.nowMs += 60_000;
  equal((await renew()).code, null);
});

Deno.test("the ends of what an expelled agent carried are recorded, once", async () => {
  await using f = await Fixture.open();
  const { agent } = await f.serve({ name: "db" });
  const sessionId = await f.right(await f.loggedIn("alice"), "db");
  const flow = (connection: string) => ({
    event: "app.session.start" as const,
    session_id: sessionId,
    connection_id: connection,
    user: "alice",
    app: "db",
    port: 5432,
  });
  await f.auth.reportFlow(agent, [flow("c1"), flow("c2")], { partial: true });
  const ended = { ...flow("c1"), event: "app.session.end" as const };
  await f.auth.reportFlow(agent, [ended], { partial: true });
  f.nowMs += 5000;
  await f.auth.recordExpelled(agent.agentId, "access-locked", true);
  await f.auth.recordExpelled(agent.agentId, "access-locked", true);
  const events = (await f.events()).filter(({ event }) =>
    event === "agent.expelled" || event === "app.session.end"
  );
  deepEqual(events.map((one) => [one.event, one.connection_id, one.reason]), [
    ["app.session.end", "c1", undefined],
    ["agent.expelled", undefined, "access-locked"],
    ["app.session.end", "c2", "agent-expelled"],
    ["agent.expelled", undefined, "access-locked"],
  ]);
  const end = events[2];
  deepEqual([end?.user, end?.app, end?.session_id, end?.agent_id, end?.duration_ms], [
    "alice",
    "db",
    sessionId,
    agent.agentId,
    5000,
  ]);
});

Deno.test("ends that could not be recorded are recorded the next time, each once", async () => {
  await using f = await Fixture.open();
  const { agent, instance } = await f.serve({ name: "db" });
  const right = { session_id: await f.right(await f.loggedIn("alice"), "db") };
  const starts = ["c1", "c2"].map((connection_id) => start("db", { ...right, connection_id }));
  await f.auth.reportFlow(agent, starts, ALL);
  const { audit } = f.auth;
  const write = audit.write.bind(audit);
  audit.write = () => Promise.reject(new Error("the disk is full"));
  await rejects(f.auth.recordExpelled(agent.agentId, "access-locked", false), /full/);
  f.auth.agents.disconnected(instance);
  audit.write = write;
  const recording = () => f.auth.recordExpelled(agent.agentId, "access-locked", false);
  await Promise.all([recording(), recording()]);
  await recording();
  const ends = (await recorded(f, "app.session.end")).map((one) => one.connection_id);
  deepEqual(ends.sort(), ["c1", "c2"]);
  deepEqual(await recorded(f, "agent.expelled"), []);
});
