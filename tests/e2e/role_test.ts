/**
 * What a role says, through real sockets: labels, and each option at the one who has to keep it.
 *
 * @module
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { CarrierPool, CarrierTarget, FlowSummary } from "../../lib/io/mod.ts";
import { parseCertificate } from "../../lib/io/mod.ts";
import {
  app,
  audited,
  connPair,
  echoServer,
  never,
  readText,
  TestCluster,
  writeAll,
} from "./cluster.ts";

const HOUR_MS = 3_600_000;
const HELLO = new TextEncoder().encode("hello");

type Spec = Readonly<Record<string, unknown>>;

async function putRole(cluster: TestCluster, name: string, spec: Spec): Promise<void> {
  await cluster.server.auth.admin.putResource(
    { kind: "role", version: "v1", metadata: { name }, spec },
    { replace: true },
  );
}

/** A user with a role of their own for every app. */
async function addUser(cluster: TestCluster, name: string, options: Spec): Promise<void> {
  await putRole(cluster, name, { allow: { app_labels: { "*": "*" } }, options });
  await cluster.addUser(name, [name]);
}

interface Held {
  readonly outer: Deno.TcpConn;
  readonly ended: Promise<FlowSummary>;
}

async function hold(pool: CarrierPool, target: CarrierTarget): Promise<Held> {
  const flow = await pool.acquire(target, never());
  const { outer, inner } = await connPair();
  const held = { outer, ended: flow.splice(inner, never()) };
  await says(held);
  return held;
}

async function says({ outer }: Held): Promise<void> {
  await writeAll(outer, HELLO);
  equal(await readText(outer, HELLO.length), "hello");
}

Deno.test("open flows end when their roles say so, and the client learns why", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  await addUser(cluster, "login", {});
  await addUser(cluster, "idle", { client_idle_timeout: "90m" });
  await addUser(cluster, "short", { max_session_ttl: "1m" });
  await addUser(cluster, "never", { disconnect_expired_cert: false });
  const pool = cluster.pool();
  const holdAs = async (user: string) =>
    await hold(pool, await cluster.target("echo", { login: await cluster.login(user) }));
  // In the order in which the agent looks after them: what it left to the first, it did before it cut the last
  const login = await holdAs("login");
  const forever = await holdAs("never");
  const idle = await holdAs("idle");
  const short = await holdAs("short");
  const endOf = async (user: string) =>
    (await audited(cluster, (one) => one.event === "app.session.end" && one.user === user)).reason;

  await t.step("max_session_ttl: a flow ends with the short login", async () => {
    cluster.clock.nowMs += 61_000;
    equal((await short.ended).code, "certificate-expired");
  });
  await t.step("client_idle_timeout: one that was silent for so long", async () => {
    cluster.clock.nowMs += 2 * HOUR_MS;
    equal((await idle.ended).code, "client-idle");
    equal(await endOf("idle"), "client-idle");
  });
  await t.step("a flow outlives the certificate of an hour that it was opened with", async () => {
    await says(login);
    await says(forever);
  });
  await t.step("disconnect_expired_cert: with the login", async () => {
    cluster.clock.nowMs += 10 * HOUR_MS;
    equal((await login.ended).code, "certificate-expired");
    equal(await endOf("login"), "certificate-expired");
  });
  await t.step("disconnect_expired_cert: false lets it go on", async () => {
    await says(forever);
    forever.outer.close();
    equal((await forever.ended).code, undefined);
  });
  for (const { outer } of [login, idle, short]) outer.close();
  await pool.close();
});

Deno.test("max_session_ttl: no login of the role is longer, nor what is drawn from it", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  await addUser(cluster, "bob", { max_session_ttl: "30m" });
  const startMs = cluster.clock.nowMs;
  const login = await cluster.login("bob");
  const { credentials } = await cluster.target("echo", { login });
  for (const pem of [login.settings.identity!.certificatePem, credentials.certificatePem]) {
    const endMs = parseCertificate(pem)!.validity.notAfterMs;
    ok(endMs <= startMs + HOUR_MS / 2 && endMs > startMs + HOUR_MS / 2 - 2000);
  }
});

Deno.test("labels go by the user, by what is said of them, and by regular expressions", async (t) => {
  await using echo = echoServer();
  const labelled = (name: string, labels: Record<string, string>) =>
    app(name, echo.port, { labels });
  await using cluster = await TestCluster.start([
    labelled("mine", { owner: "bob" }),
    labelled("theirs", { owner: "carol" }),
    labelled("pay", { team: "payments" }),
    labelled("search", { team: "search" }),
    labelled("eu", { env: "prod-eu" }),
    labelled("us", { env: "prod-us" }),
    labelled("de", { env: "prod-de" }),
  ]);
  await putRole(cluster, "own", { allow: { app_labels: { owner: "{{user}}" } } });
  await putRole(cluster, "team", { allow: { app_labels: { team: ["{{claims.team}}"] } } });
  await putRole(cluster, "prod", {
    allow: { app_labels: { env: "^prod-(eu|us)$" } },
    deny: { app_labels: { env: "prod-{{claims.not}}" } },
  });
  await cluster.addUser("bob", ["own", "team", "prod"]);
  const { admin } = cluster.server.auth;
  const say = (claims: Spec) =>
    admin.putResource({
      kind: "user",
      version: "v1",
      metadata: { name: "bob" },
      spec: { roles: ["own", "team", "prod"], claims },
    }, { replace: true });
  const pool = cluster.pool();
  const reachable = async () => {
    const login = await cluster.login("bob");
    const found: string[] = [];
    for (const name of ["mine", "theirs", "pay", "search", "eu", "us", "de"]) {
      try {
        const { outer, ended } = await hold(pool, await cluster.target(name, { login }));
        found.push(name);
        outer.close();
        await ended;
      } catch (thrown) {
        equal((thrown as { code?: string }).code, "app-unknown");
      }
    }
    return found;
  };
  await t.step("without claims", async () => {
    deepEqual(await reachable(), ["mine", "eu", "us"]);
  });
  await t.step("with claims: one value, several, and one that denies", async () => {
    await say({ team: ["payments", "search"], not: "us" });
    deepEqual(await reachable(), ["mine", "pay", "search", "eu"]);
  });
  await t.step(
    "a claim that is lost is lost at the next flow, on what was given before",
    async () => {
      const target = await cluster.target("pay", { login: await cluster.login("bob") });
      const { outer, ended } = await hold(pool, target);
      await say({ team: "sales" });
      ok(["access-denied", undefined].includes((await ended).code));
      outer.close();
      await rejects(pool.acquire(target, never()), (thrown: { code?: string }) => {
        return ["access-denied", "ticket-refused"].includes(thrown.code ?? "");
      });
    },
  );
  await pool.close();
});
