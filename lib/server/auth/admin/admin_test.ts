import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { DEFAULT_VNET_CONFIG } from "../../../config/mod.ts";
import { serveAdmin } from "./api.ts";
import { AdminClient } from "./client.ts";
import { Auth } from "../auth.ts";
import { CLUSTER, Fixture, START_MS, totpOf } from "../../../../tests/doubles/auth_service.ts";

const role = (name: string, spec: unknown = {}) => ({
  kind: "role",
  version: "v1",
  metadata: { name },
  spec,
});

Deno.test("users are added, listed, reset and removed; what they log in with is told once", async () => {
  await using f = await Fixture.open({ secondFactor: "otp" });
  const { admin } = f.auth;
  const added = await admin.addUser({ name: "alice", roles: ["access"] });
  match(added.password!, /^(?:[a-z2-9]{5}-){3}[a-z2-9]{5}$/);
  match(added.totp_uri!, /^otpauth:\/\/totp\/c\.example:alice\?/);
  deepEqual(await admin.listUsers(), {
    users: [{
      name: "alice",
      roles: ["access"],
      can_log_in: true,
      has_second_factor: true,
      locked: false,
      logins: 0,
    }],
  });
  const again = await admin.resetUser({ name: "alice" });
  ok(again.password !== added.password && again.totp_uri !== added.totp_uri);
  const totp_code = totpOf(again.totp_uri!).generate({ timestamp: f.nowMs });
  equal((await f.login("alice", added.password!, { totp_code })).code, "login-failed");
  equal((await f.login("alice", again.password!, { totp_code })).status, 200);
  await admin.removeUser("alice");
  deepEqual(await admin.listUsers(), { users: [] });
  await rejects(admin.resetUser({ name: "alice" }), { code: "not-found" });
  await rejects(admin.removeUser("alice"), { code: "not-found" });
});

Deno.test("a password that is given is taken as it is, and not told back", async () => {
  await using f = await Fixture.open();
  const password = "correct horse battery staple";
  deepEqual(await f.auth.admin.addUser({ name: "alice", roles: ["access"], password }), {
    name: "alice",
  });
  equal((await f.login("alice", password)).status, 200);
});

Deno.test("a reset lifts a lockout", async () => {
  await using f = await Fixture.open();
  await f.addUser("alice");
  for (let i = 0; i < 5; i++) await f.login("alice", "wrong");
  const { password } = await f.auth.admin.resetUser({ name: "alice" });
  equal((await f.login("alice", password!)).status, 200);
});

Deno.test("a user who cannot be added leaves nothing behind", async (t) => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  await admin.addUser({ name: "alice", roles: ["access"] });
  const cases: [name: string, request: Parameters<typeof admin.addUser>[0], code: string][] = [
    ["a name that is taken", { name: "alice", roles: ["access"] }, "resource-exists"],
    ["a role that is not there", { name: "bob", roles: ["nothing"] }, "resource-invalid"],
    ["no role", { name: "bob", roles: [] }, "config-invalid"],
    [
      "a short password",
      { name: "bob", roles: ["access"], password: "elevenchars" },
      "password-weak",
    ],
    ["a name nobody can have", { name: "b/ob", roles: ["access"] }, "config-invalid"],
  ];
  for (const [name, request, code] of cases) {
    await t.step(name, async () => {
      const before = (await f.events()).length;
      await rejects(admin.addUser(request), { code });
      equal((await admin.listUsers()).users.length, 1);
      equal((await f.events()).length, before);
    });
  }
});

Deno.test("resources are put, shown with a revision, and changed by one at a time", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const first = await admin.putResource(role("dev"), { replace: false });
  equal(first.metadata.revision, 1);
  await rejects(admin.putResource(role("dev"), { replace: false }), { code: "resource-exists" });
  const changed = { ...first, spec: { allow: { app_labels: { env: "dev" } } } };
  equal((await admin.putResource(changed, { replace: true })).metadata.revision, 2);
  // Somebody who edited the first one finds out, unless it came to the same
  equal((await admin.putResource(changed, { replace: true })).metadata.revision, 2);
  const other = { ...first, spec: { allow: { app_labels: { env: "prod" } } } };
  await rejects(admin.putResource(other, { replace: true }), { code: "resource-changed" });
  const { resources } = await admin.getResources({ kind: "role" });
  deepEqual(resources.map(({ metadata }) => [metadata.name, metadata["revision"]]), [
    ["access", 1],
    ["dev", 2],
  ]);
  await rejects(admin.getResources({ kind: "role", name: "x" }), { code: "not-found" });
});

Deno.test("what is put as it is there is not written again, and not recorded", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const put = await admin.putResource(role("dev"), { replace: true });
  const before = (await f.events()).length;
  equal((await admin.putResource(role("dev"), { replace: true })).metadata.revision, 1);
  equal((await admin.putResource(put, { replace: false })).metadata.revision, 1);
  equal((await f.events()).length, before);
  // Who creates one must be told that the name is taken, even by its like
  await rejects(admin.putResource(role("dev"), { replace: false }), { code: "resource-exists" });
});

const apply = {
  replace: false,
  check_only: false,
  also_named: [],
};

const user = (name: string, roles: string[]) => ({
  kind: "user",
  version: "v1",
  metadata: { name },
  spec: { roles },
});

Deno.test("resources that are put together may stand on each other, in any order", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const resources = [user("alice", ["dev"]), role("dev")];
  const outcomes = async (more: Partial<typeof apply> = {}) =>
    (await admin.applyResources({ ...apply, resources, ...more })).results
      .map(({ kind, outcome, revision }) => [kind, outcome, revision]);
  deepEqual(await outcomes({ check_only: true }), []);
  deepEqual(await outcomes(), [["user", "created", 1], ["role", "created", 1]]);
  const before = (await f.events()).length;
  deepEqual(await outcomes(), [["user", "unchanged", 1], ["role", "unchanged", 1]]);
  equal((await f.events()).length, before);
  resources[0] = user("alice", ["dev", "access"]);
  deepEqual(await outcomes({ replace: true }), [["user", "replaced", 2], ["role", "unchanged", 1]]);
});

Deno.test("what is shown can be put again, and is unchanged", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  await f.addUser("alice");
  const kinds = ["role", "user", "vnet_config"] as const;
  const shown = await Promise.all(kinds.map((kind) => admin.getResources({ kind })));
  const { results } = await admin.applyResources({
    ...apply,
    resources: shown.flatMap(({ resources }) => resources),
  });
  deepEqual(results.map(({ outcome }) => outcome), ["unchanged", "unchanged", "unchanged"]);
});

Deno.test("with a mistake in one resource, none is written, and every mistake is told", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const before = (await f.events()).length;
  const { results, mistakes } = await admin.applyResources({
    ...apply,
    resources: [
      role("dev"),
      user("alice", ["dev", "nope"]),
      role("dev"),
      role("access"),
      { ...role("old"), metadata: { name: "old", revision: 3 } },
      {
        kind: "lock",
        version: "v1",
        metadata: { name: "l" },
        spec: { target: { user: "bob" } },
      },
      user("carol", ["elsewhere"]),
    ],
    also_named: [{ kind: "role", name: "elsewhere" }],
  });
  deepEqual(results, []);
  deepEqual(mistakes.map(({ index, code, path, expected }) => [index, code, path, expected]), [
    [1, "resource-invalid", [
      "spec",
      "roles",
      1,
    ], "a role that exists: access, dev, elsewhere, old"],
    [2, "resource-invalid", ["metadata", "name"], "each resource once in a file"],
    [
      3,
      "resource-exists",
      ["metadata", "name"],
      "a name that is free, or --force to replace what is there",
    ],
    [4, "resource-changed", ["metadata", "revision"], 'no revision: the role "old" was removed'],
    [5, "resource-invalid", ["spec", "target", "user"], "a user that exists: alice, carol"],
  ]);
  deepEqual((await admin.getResources({ kind: "role" })).resources.length, 1);
  deepEqual((await admin.listUsers()).users, []);
  equal((await f.events()).length, before);
});

Deno.test("logins are listed and ended by the beginning of their id", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const der = await f.loggedIn("alice");
  await f.loggedIn("bob");
  const { agent } = await f.serve({ name: "db" });
  await f.appCert(der, "db");
  const { sessions: [alice, bob] } = await admin.listSessions();
  ok(alice && bob);
  const { id, ...rest } = alice;
  deepEqual(rest, {
    user: "alice",
    started: "2026-01-01T00:00:00.000Z",
    expires: "2026-01-01T12:00:00.000Z",
    source: "192.0.2.1",
    apps: ["db"],
    flows: 0,
    locked: false,
  });
  deepEqual([bob.user, bob.apps], ["bob", []]);
  const issued = (await f.events()).find(({ event }) => event === "app.cert.issued");
  const flow = {
    session_id: issued!.session_id!,
    connection_id: "1",
    user: "alice",
    app: "db",
    port: 5432,
  };
  await f.auth.reportFlow(agent, [{ ...flow, event: "app.session.start" }], { partial: false });
  equal((await admin.listSessions()).sessions[0]?.flows, 1);
  equal((await admin.status()).flows, 1);
  await rejects(admin.removeSession("ffffffffffffffff"), { code: "not-found" });
  deepEqual(await admin.removeSession(id.slice(0, 8)), { id, user: "alice", flows: 1 });
  await f.auth.reportFlow(agent, [{ ...flow, event: "app.session.end" }], { partial: false });
  equal((await admin.status()).flows, 0);
  deepEqual((await admin.listSessions()).sessions.map((one) => one.user), ["bob"]);
  equal((await f.auth.verifyUserCertificate(der)).kind, "refused");
  const { event, user, session_id } = (await f.events()).find((one) =>
    one.event === "session.removed"
  )!;
  deepEqual([event, user, session_id], ["session.removed", "alice", id]);
});

Deno.test("a flow counts for its login for as long as it runs, whatever it was begun with has expired", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const der = await f.loggedIn("alice");
  const { agent } = await f.serve({ name: "db" });
  const right = await f.right(der, "db");
  const flow = { session_id: right, connection_id: "1", user: "alice", app: "db", port: 5432 };
  await f.auth.reportFlow(agent, [{ ...flow, event: "app.session.start" }], { partial: false });
  f.nowMs += 2 * 3_600_000;
  const { sessions: [login] } = await admin.listSessions();
  deepEqual([login?.apps, login?.flows], [[], 1]);
  const targets = [{ user: "alice" }, { role: "access" }, { session: login!.id }, {
    session: right,
  }];
  for (const target of targets) {
    equal((await admin.lock({ target, force: true })).cut.flows, 1, JSON.stringify(target));
  }
  equal((await admin.lock({ target: { user: "bob" }, force: true })).cut.flows, 0);
  equal((await admin.removeSession(login!.id)).flows, 1);
});

Deno.test("a lock says what it cuts, and is for somebody who is there", async (t) => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  await f.loggedIn("alice");
  const { agent } = await f.serve({ name: "db" });
  const { sessions: [alice] } = await admin.listSessions();
  await t.step("of an unknown one: refused, and nothing is recorded", async () => {
    const before = (await f.events()).length;
    for (
      const target of [{ user: "alcie" }, { role: "nope" }, { agent: "nope" }, {
        session: "0".repeat(32),
      }]
    ) {
      await rejects(admin.lock({ target }), {
        code: "resource-invalid",
        message: /^There is no (user|role|agent|session) "/,
        hint: /--force/,
      });
    }
    await rejects(admin.lock({ target: { session: "ffff" } }), { code: "not-found" });
    equal((await f.events()).length, before);
  });
  await t.step("of an unknown one, forced", async () => {
    const { cut } = await admin.lock({ force: true, target: { user: "alcie" } });
    deepEqual(cut, { logins: 0, flows: 0 });
  });
  await t.step("of a user, a role, a session", async () => {
    for (
      const target of [{ user: "alice" }, { role: "access" }, { session: alice!.id.slice(0, 8) }]
    ) {
      deepEqual((await admin.lock({ target })).cut, { logins: 1, flows: 0 });
    }
    equal((await admin.listUsers()).users[0]?.locked, true);
    equal((await admin.listSessions()).sessions[0]?.locked, true);
  });
  await t.step("of an agent, by its name", async () => {
    const { resource } = await admin.lock({ target: { agent: "local" } });
    deepEqual(resource["spec"], { target: { agent: agent.agentId } });
    equal((await admin.listAgents()).agents[0]?.locked, true);
  });
});

Deno.test("agents are listed with when they were seen last, over a restart too", async () => {
  await using f = await Fixture.open();
  const { instance } = await f.serve({ name: "db" });
  const seen = async () => (await f.auth.admin.listAgents()).agents[0]?.last_seen;
  f.nowMs += 60_000;
  equal(await seen(), "2026-01-01T00:01:00.000Z");
  f.auth.agents.disconnected(instance);
  f.nowMs += 60_000;
  equal(await seen(), "2026-01-01T00:01:00.000Z");
});

Deno.test("what others stand on cannot be removed", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  await admin.putResource(role("dev"), { replace: false });
  await f.addUser("alice", { roles: ["dev"] });
  await rejects(admin.removeResource("role", "dev"), {
    code: "resource-in-use",
    message: 'The role "dev" is held by alice',
    hint: /edit user\/alice/,
  });
  await rejects(admin.removeResource("vnet_config", "vnet-config"), { code: "resource-in-use" });
  await admin.removeUser("alice");
  await admin.removeResource("role", "dev");
  await rejects(admin.removeResource("role", "dev"), { code: "not-found" });
});

Deno.test("what was said and signed is there after a restart", async () => {
  await using f = await Fixture.open();
  const login = await f.loggedIn("alice");
  await f.serve({ name: "db" });
  const { body: { ticket } } = await f.appCert(login, "db");
  await f.auth.admin.putResource(
    { ...DEFAULT_VNET_CONFIG, spec: { ipv4_cidr_range: "10.0.0.0/8", custom_dns_zones: [] } },
    { replace: true },
  );
  const pin = f.auth.hostCaPin();
  // A second service on the same directory stands for the next start
  await using again = new AsyncDisposableStack();
  const auth = again.adopt(
    await Auth.open({
      dataDir: f.dataDir,
      clusterName: CLUSTER,
      proxyPublicAddrs: [{ host: "proxy.c.example", port: 443 }],
      secondFactor: "optional",
      nowMs: () => START_MS,
    }),
    (opened) => opened.close(),
  );
  equal(auth.hostCaPin(), pin);
  equal((await auth.verifyUserCertificate(login)).kind, "good");
  ok(await auth.verifyTicket(ticket));
  const { resources } = await auth.admin.getResources({ kind: "vnet_config" });
  deepEqual(resources[0]?.["spec"], { ipv4_cidr_range: "10.0.0.0/8", custom_dns_zones: [] });
});

Deno.test("a data directory belongs to one cluster", async () => {
  await using f = await Fixture.open();
  await rejects(Fixture.open({ dataDir: f.dataDir, clusterName: "other.example" }), {
    code: "config-invalid",
    mistakes: [{
      path: "cluster_name",
      found: '"other.example"',
      expected: '"c.example", the cluster this data_dir belongs to',
    }],
  });
});

Deno.test("the data directory and everything in it are their owner's alone", async () => {
  await using f = await Fixture.open();
  await f.loggedIn("alice");
  equal((await Deno.stat(f.dataDir)).mode! & 0o777, 0o700);
  for await (const { name } of Deno.readDir(f.dataDir)) {
    equal((await Deno.stat(join(f.dataDir, name))).mode! & 0o777, 0o600, name);
  }
});

Deno.test("a proxy certificate is for its names and comes with the host CA", async () => {
  await using f = await Fixture.open();
  const { generateKeyPair, splitPem, verifyPinnedServer, parseCertificate } = await import(
    "../../../io/mod.ts"
  );
  const { publicKeyPem } = await generateKeyPair();
  const { chainPem, expiresMs } = await f.auth.issueProxyCertificate(
    ["proxy.c.example"],
    publicKeyPem,
  );
  equal(expiresMs, START_MS + 24 * 3_600_000);
  const chain = splitPem(chainPem).map((pem) => parseCertificate(pem)!.der);
  const verdict = verifyPinnedServer(chain, {
    pins: [f.auth.hostCaPin()],
    host: "proxy.c.example",
    nowMs: START_MS,
  });
  equal(verdict.kind, "good");
});

Deno.test("AdminClient asks over a socket that only the owner may open", async (t) => {
  await using f = await Fixture.open();
  const path = join(f.dataDir, "admin.sock");
  const served = await serveAdmin(f.auth.admin, path);
  using client = new AdminClient(path);
  await t.step("the socket", async () => {
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await rejects(serveAdmin(f.auth.admin, path), { code: "admin-socket-unusable" });
  });
  await t.step("an answer", async () => {
    const status = await client.call("status", {});
    equal(status.ca_pin, f.auth.hostCaPin());
    const { password } = await client.call("users.add", { name: "alice", roles: ["access"] });
    equal((await f.login("alice", password!)).status, 200);
    const { token, ca_pin } = await client.call("tokens.add", { any: true });
    match(token, /^[0-9a-f]{32}$/);
    equal(ca_pin, f.auth.hostCaPin());
    const { resource } = await client.call("resources.put", { resource: role("dev") });
    equal(resource.metadata["revision"], 1);
    await client.call("resources.remove", { kind: "role", name: "dev" });
    const lock = await client.call("lock", { target: { user: "alice" }, message: "Away" });
    deepEqual(lock.resource["spec"], { target: { user: "alice" }, message: "Away" });
  });
  await t.step("a refusal", async () => {
    await rejects(client.call("users.remove", { name: "nobody" }), {
      name: "AuthError",
      code: "not-found",
      message: 'There is no user "nobody"',
    });
    await rejects(client.call("resources.put", { resource: role("bad", { x: 1 }) }), {
      code: "config-invalid",
    });
  });
  await t.step("the audit log, as it grows", async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const { events } = await client.call("audit.read", { limit: 1 });
    const following = (async () => {
      for await (const { event } of client.follow({ after: events[0]!.seq, signal: stop.signal })) {
        seen.push(event);
        if (event === "token.removed") stop.abort();
      }
    })();
    const { id } = await client.call("tokens.add", { any: true, ttl_seconds: 60 });
    await client.call("tokens.remove", { id });
    await following;
    deepEqual(seen, ["token.created", "token.removed"]);
  });
  await served.close();
  await t.step("nobody there", async () => {
    await rejects(client.call("status", {}), { code: "server-not-running" });
  });
  await t.step("a socket left behind by a crash", async () => {
    const stale = Deno.listen({ transport: "unix", path });
    await Deno.rename(path, `${path}.kept`);
    stale.close();
    await Deno.rename(`${path}.kept`, path);
    await (await serveAdmin(f.auth.admin, path)).close();
  });
});
