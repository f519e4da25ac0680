import { deepEqual, equal, rejects } from "node:assert/strict";
import type { FlowEvent } from "../../../wire/mod.ts";
import { Fixture } from "../../../../tests/doubles/auth_service.ts";

function start(app: string, connection = "c"): FlowEvent {
  return {
    event: "app.session.start",
    session_id: "0".repeat(32),
    connection_id: connection,
    user: "alice",
    app,
    port: 1,
  };
}

Deno.test("an agent reports flows of the apps that it may serve, and of no others", async (t) => {
  await using f = await Fixture.open();
  const { agent, certificate } = await f.serve({ name: "db" });
  await t.step("in the process", async () => {
    await rejects(f.auth.reportFlow(agent, [start("db"), start("other")]), { code: "app-unknown" });
  });
  await t.step("over HTTPS", async () => {
    const body = { events: [start("other")] };
    const answer = await f.ask("POST", "/v1/agent/audit", { certificate, body });
    equal(answer.code, "app-unknown");
  });
  await t.step("nothing of such a report is kept", async () => {
    deepEqual((await f.events()).filter(({ event }) => event === "app.session.start"), []);
  });
  await t.step("its own are", async () => {
    await f.auth.reportFlow(agent, [start("db")]);
    deepEqual((await f.events()).map(({ app }) => app).filter((app) => app !== undefined), ["db"]);
  });
});

Deno.test("an agent that reports more than can be written is told so, and others are heard", async () => {
  await using f = await Fixture.open();
  const { agent } = await f.serve({ name: "db" });
  const flood = Array.from(
    { length: 20 },
    (_, i) =>
      f.auth.reportFlow(agent, Array.from({ length: 256 }, (_, j) => start("db", `${i}.${j}`)))
        .then(() => "written", ({ code }) => code),
  );
  const other = { ...agent, agentId: "other", name: "other" };
  const heard = f.auth.reportFlow(other, [start("db", "heard")]);
  const outcomes = await Promise.all(flood);
  await heard;
  equal(outcomes[0], "written");
  equal(outcomes.at(-1), "busy");
  await f.auth.reportFlow(agent, [start("db", "after")]);
});

Deno.test("an agent renews its certificate so often and no oftener", async () => {
  await using f = await Fixture.open();
  const { certificate } = await f.serve({ name: "db" });
  const { sharedKey } = await import("../../../../tests/doubles/auth_service.ts");
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
