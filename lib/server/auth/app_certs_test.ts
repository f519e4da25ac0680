import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { AppCertResponseSchema } from "../../wire/mod.ts";
import { decodeTicket, encodeTicket } from "../../identity/mod.ts";
import { parseCertificate, verifyAppClient } from "../../io/mod.ts";
import { CLUSTER, Fixture, START_MS } from "../../../tests/doubles/auth_service.ts";

const HOUR_MS = 3_600_000;

Deno.test("an app certificate says who, which app and port, and what roles", async () => {
  await using f = await Fixture.open();
  await f.serve({ name: "db", tcp_ports: [{ port: 5432 }] });
  const login = await f.loggedIn("alice");
  const { status, body } = await f.appCert(login, "db", { port: 5432 });
  equal(status, 200);
  const { certificate, expires } = AppCertResponseSchema.parse(body);
  equal(expires, new Date(START_MS + HOUR_MS).toISOString());
  const verdict = verifyAppClient(certificate, {
    userCas: f.auth.userCaPems().map((pem) => parseCertificate(pem)!),
    nowMs: START_MS,
  });
  ok(verdict.kind === "good");
  deepEqual(verdict.principal, { kind: "user", cluster: CLUSTER, name: "alice" });
  const { sessionId, loginId, ...claims } = verdict.claims;
  deepEqual(claims, {
    kind: "app",
    cluster: CLUSTER,
    app: "db",
    publicAddr: "db.proxy.c.example",
    port: 5432,
    roles: ["access"],
    mfaTimeMs: null,
    grounds: { loginExpiresMs: START_MS + 12 * HOUR_MS, claims: {} },
  });
  // A session of its own, not the login's
  const holder = await f.auth.verifyTicket(body.ticket);
  equal(holder?.sessionId, sessionId);
  const verified = await f.auth.verifyUserCertificate(login) as { sessionId: string };
  equal(loginId, verified.sessionId);
  ok(sessionId !== loginId);
});

Deno.test("an app certificate ends with the login at the latest", async () => {
  await using f = await Fixture.open();
  await f.serve({ name: "db" });
  const login = await f.loggedIn("alice");
  f.nowMs = START_MS + 12 * HOUR_MS - 90_000;
  const { body } = await f.appCert(login, "db");
  equal(Date.parse(body.expires), START_MS + 12 * HOUR_MS);
});

Deno.test("an app certificate is refused with the reason, but not what there is", async (t) => {
  await using f = await Fixture.open();
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } } });
  await f.serve(
    {
      name: "web",
      labels: { env: "dev" },
      tcp_ports: [{ port: 80 }, { port: 8000, end_port: 8010 }],
    },
    { name: "any", labels: { env: "dev" } },
    { name: "prod", labels: { env: "prod" } },
  );
  const login = await f.loggedIn("alice", ["dev"]);
  const cases: [
    name: string,
    app: string,
    more: Record<string, unknown>,
    status: number,
    code: string | null,
  ][] = [
    ["a served port", "web", { port: 8010 }, 200, null],
    ["a port that is not", "web", { port: 8011 }, 403, "port-not-allowed"],
    ["any port of an app with ports", "web", { port: 0 }, 403, "port-not-allowed"],
    ["any port of an app without", "any", { port: 0 }, 200, null],
    ["one port of an app without", "any", { port: 22 }, 200, null],
    ["an app the roles do not allow", "prod", {}, 404, "app-unknown"],
    ["an app that is not there", "nothing", {}, 404, "app-unknown"],
    ["another cluster", "web", { cluster: "leaf.example" }, 404, "cluster-unknown"],
    ["a broken key", "web", { port: 80, public_key: "key" }, 400, "public-key-unsupported"],
    ["no port at all", "web", { port: 65_536 }, 400, "request-malformed"],
  ];
  for (const [name, app, more, status, code] of cases) {
    await t.step(name, async () => {
      const answer = await f.appCert(login, app, more);
      equal(answer.status, status);
      equal(answer.code, code);
    });
  }
  const unknown = await f.appCert(login, "nothing");
  deepEqual((await f.appCert(login, "prod")).body, unknown.body);
});

Deno.test("an app that asks for the second factor gets it once for each certificate and port", async (t) => {
  await using f = await Fixture.open();
  await f.addRole("mfa", {
    allow: { app_labels: { "*": "*" } },
    options: { require_session_mfa: true },
  });
  await f.serve({ name: "db" });
  const { password, totp } = await f.addUser("alice", { roles: ["mfa"], secondFactor: true });
  const code = () => totp!.generate({ timestamp: f.nowMs });
  const login =
    parseCertificate((await f.login("alice", password, { totp_code: code() })).body.certificate)!
      .der;
  await t.step("without a code there is a challenge", async () => {
    const { status, body } = await f.appCert(login, "db", { port: 5432 });
    equal(status, 403);
    equal(body.error.code, "mfa-required");
    deepEqual(body.error.challenge, { kind: "totp" });
  });
  await t.step("the code of the login is used up", async () => {
    equal((await f.appCert(login, "db", { port: 5432, totp_code: code() })).code, "mfa-failed");
  });
  await t.step("the next one does, for one port", async () => {
    f.nowMs += 30_000;
    equal((await f.appCert(login, "db", { port: 0, totp_code: code() })).code, "port-not-allowed");
    const { status, body } = await f.appCert(login, "db", { port: 5432, totp_code: code() });
    equal(status, 200);
    const { claims } = parseCertificate(body.certificate)!;
    ok(claims?.kind === "app");
    equal(claims.mfaTimeMs, f.nowMs);
    equal(claims.port, 5432);
  });
  await t.step("and not again", async () => {
    equal((await f.appCert(login, "db", { port: 5433, totp_code: code() })).code, "mfa-failed");
  });
  await t.step("wrong codes lock out", async () => {
    for (let i = 0; i < 3; i++) await f.appCert(login, "db", { port: 5432, totp_code: "000000" });
    f.nowMs += 30_000;
    equal((await f.appCert(login, "db", { port: 5432, totp_code: code() })).code, "login-locked");
  });
});

Deno.test("a user without a second factor is told to get one", async () => {
  await using f = await Fixture.open();
  await f.addRole("mfa", {
    allow: { app_labels: { "*": "*" } },
    options: { require_session_mfa: true },
  });
  await f.serve({ name: "db" });
  const login = await f.loggedIn("alice", ["mfa"]);
  equal((await f.appCert(login, "db", { port: 1, totp_code: "123456" })).code, "mfa-not-enrolled");
});

Deno.test("one login may draw two hundred certificates at once", async () => {
  await using f = await Fixture.open();
  const login = await f.loggedIn("alice");
  for (let i = 0; i < 200; i++) equal((await f.appCert(login, "nothing")).code, "app-unknown");
  equal((await f.appCert(login, "nothing")).code, "rate-limited");
});

Deno.test("a ticket is worth something while everything it stands for is true", async (t) => {
  await using f = await Fixture.open();
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } } });
  const served = await f.serve({ name: "db", labels: { env: "dev" } });
  const login = await f.loggedIn("alice", ["dev"]);
  const { body: { ticket } } = await f.appCert(login, "db");
  const holder = (await f.auth.verifyTicket(ticket))!;
  equal(holder.user, "alice");
  equal(holder.app, "db");
  deepEqual(f.auth.agents.agentsFor(holder.appId).map(({ name }) => name), ["local"]);
  const isGood = async () => await f.auth.verifyTicket(ticket) !== null;
  await t.step("every lock that fits", async () => {
    const targets = [{ user: "alice" }, { role: "dev" }, { session: holder.sessionId }] as const;
    for (const target of targets) {
      const { resource: lock } = await f.auth.admin.lock({ target });
      equal(await isGood(), false, JSON.stringify(target));
      await f.auth.admin.removeResource("lock", lock.metadata.name);
      equal(await isGood(), true);
    }
  });
  await t.step("the role loses the app", async () => {
    await f.addRole("dev", { allow: { app_labels: { env: "prod" } } });
    equal(await isGood(), false);
    await f.addRole("dev", { allow: { app_labels: { env: "dev" } } });
    equal(await isGood(), true);
  });
  await t.step("the agent goes: that is not the ticket's fault", async () => {
    f.auth.agents.disconnected(served.instance);
    equal(await isGood(), true);
    deepEqual(f.auth.agents.agentsFor(holder.appId), []);
  });
  await t.step("an hour passes", async () => {
    f.nowMs += HOUR_MS - 1;
    equal(await isGood(), true);
    f.nowMs += 1;
    equal(await isGood(), false);
    f.nowMs = START_MS;
  });
  await t.step("the user is removed", async () => {
    await f.auth.admin.removeUser("alice");
    equal(await isGood(), false);
  });
});

Deno.test("no ticket but ours is worth anything", async () => {
  await using f = await Fixture.open();
  await using other = await Fixture.open();
  await f.serve({ name: "db" });
  const { body: { ticket } } = await f.appCert(await f.loggedIn("alice"), "db");
  equal(await other.auth.verifyTicket(ticket), null);
  const decoded = decodeTicket(ticket)!;
  const later = { ...decoded.ticket, expiresSeconds: decoded.ticket.expiresSeconds + 3600 };
  equal(await f.auth.verifyTicket(encodeTicket(later, decoded.mac)), null);
  await fc.assert(
    fc.asyncProperty(fc.nat(ticket.length - 1), fc.nat(31), async (at, letter) => {
      const forged = ticket.slice(0, at) + "abcdefghijklmnopqrstuvwxyz234567"[letter] +
        ticket.slice(at + 1);
      equal(await f.auth.verifyTicket(forged) !== null, forged === ticket);
    }),
  );
});
