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
    users: [{ name: "alice", roles: ["access"], can_log_in: true, has_second_factor: true }],
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
  // Somebody who edited the first one finds out
  await rejects(admin.putResource(changed, { replace: true }), { code: "resource-changed" });
  const { resources } = await admin.getResources({ kind: "role" });
  deepEqual(resources.map(({ metadata }) => [metadata.name, metadata["revision"]]), [
    ["access", 1],
    ["dev", 2],
  ]);
  await rejects(admin.getResources({ kind: "role", name: "x" }), { code: "not-found" });
});

Deno.test("what others stand on cannot be removed", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  await admin.putResource(role("dev"), { replace: false });
  await f.addUser("alice", { roles: ["dev"] });
  await rejects(admin.removeResource("role", "dev"), { code: "resource-in-use" });
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
      now: () => START_MS,
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
    const { token, ca_pin } = await client.call("tokens.add", {});
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
    const { id } = await client.call("tokens.add", { ttl_seconds: 60 });
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
