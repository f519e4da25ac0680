import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { AgentPolicySchema, JoinResponseSchema } from "../../../wire/mod.ts";
import { appId, namesHost, parseCertificate } from "../../../io/mod.ts";
import { CLUSTER, Fixture, sharedKey, START_MS } from "../../../../tests/doubles/auth_service.ts";

const MINUTE_MS = 60_000;
const { publicKeyPem } = sharedKey;

async function token(f: Fixture, more: Record<string, unknown> = {}): Promise<string> {
  const defaults = { kind: "app" as const, any: true, labels: {}, ttl_seconds: 1800, uses: 1 };
  return (await f.auth.admin.addToken({ ...defaults, ...more })).token;
}

function join(f: Fixture, token: string, more: Record<string, unknown> = {}) {
  return f.ask("POST", "/v1/join", {
    body: { token, kind: "app", name: "agent-1", apps: ["db"], public_key: publicKeyPem, ...more },
  });
}

/** Joins and gives the certificate in DER. */
async function joined(f: Fixture, more: Record<string, unknown> = {}): Promise<Uint8Array> {
  return parseCertificate((await join(f, await token(f), more)).body.certificate)!.der;
}

Deno.test("an agent joins with a token and gets a certificate for its apps", async () => {
  await using f = await Fixture.open();
  const secret = await token(f);
  match(secret, /^[0-9a-f]{32}$/);
  const { status, body } = await join(f, secret);
  equal(status, 200);
  const answer = JoinResponseSchema.parse(body);
  deepEqual(answer.user_cas, f.auth.userCaPems());
  deepEqual(answer.trust.host_cas, [f.auth.hostCaPem()]);
  equal(answer.expires, new Date(START_MS + 24 * 60 * MINUTE_MS).toISOString());
  const certificate = parseCertificate(answer.certificate)!;
  deepEqual(certificate.principal, { kind: "agent", cluster: CLUSTER, name: answer.agent_id });
  ok(namesHost(certificate, `t.${appId(CLUSTER, "db")}.app.vnet.internal`));
  equal(certificate.dnsNames.length, 1);
  const verdict = await f.auth.verifyAgentCertificate(certificate.der);
  ok(verdict.kind === "good");
  deepEqual(verdict.agent.apps, ["db"]);
  equal(verdict.agent.name, "agent-1");
});

Deno.test("a token is good once, for a while, and is told from no other", async (t) => {
  await using f = await Fixture.open();
  await t.step("once", async () => {
    const secret = await token(f);
    equal((await join(f, secret)).status, 200);
    equal((await join(f, secret)).code, "token-invalid");
  });
  await t.step("as often as it says", async () => {
    const secret = await token(f, { uses: 2 });
    const answers = await Promise.all([1, 2, 3].map(() => join(f, secret)));
    deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 403]);
  });
  await t.step("for half an hour", async () => {
    const secret = await token(f);
    f.nowMs += 30 * MINUTE_MS;
    equal((await join(f, secret)).code, "token-invalid");
  });
  await t.step("until it is removed", async () => {
    const secret = await token(f);
    const { tokens } = await f.auth.admin.listTokens();
    await f.auth.admin.removeToken(tokens[0]!.id);
    equal((await join(f, secret)).code, "token-invalid");
  });
  await t.step("unknown", async () => {
    const { status, code } = await join(f, "0".repeat(32));
    equal(status, 403);
    equal(code, "token-invalid");
  });
});

Deno.test("a request that cannot be granted does not use the token up", async (t) => {
  await using f = await Fixture.open();
  const secret = await token(f, { apps: ["db", "web"] });
  const cases: [name: string, more: Record<string, unknown>, code: string][] = [
    ["an app beyond the token", { apps: ["db", "prod"] }, "token-out-of-scope"],
    ["a broken key", { public_key: "key" }, "public-key-unsupported"],
    ["a name that is no label", { name: "agent/1" }, "request-malformed"],
    ["an app that is no label", { apps: [], name: "*.evil" }, "request-malformed"],
  ];
  for (const [name, more, code] of cases) {
    await t.step(name, async () => equal((await join(f, secret, more)).code, code));
  }
  equal((await join(f, secret, { apps: ["web"] })).status, 200);
});

Deno.test("one source may try thirty tokens at once", async () => {
  await using f = await Fixture.open();
  for (let i = 0; i < 30; i++) equal((await join(f, "x".repeat(32))).code, "token-invalid");
  equal((await join(f, await token(f))).code, "rate-limited");
});

Deno.test("the store and the audit log do not hold a token", async () => {
  await using f = await Fixture.open();
  const secret = await token(f);
  await join(f, secret);
  const unused = await token(f);
  for (const file of ["auth.db", "auth.db-wal", "audit.jsonl"]) {
    const text = new TextDecoder("latin1").decode(await Deno.readFile(`${f.dataDir}/${file}`));
    ok(!text.includes(secret) && !text.includes(unused), file);
  }
});

Deno.test("an agent renews its certificate for another key, within its token's scope", async () => {
  await using f = await Fixture.open();
  const secret = await token(f, { apps: ["db", "web"] });
  const first = parseCertificate((await join(f, secret)).body.certificate)!;
  f.nowMs += 12 * 60 * MINUTE_MS;
  const renew = (apps: string[]) =>
    f.ask("POST", "/v1/agent/renew", {
      certificate: first.der,
      body: { apps, public_key: publicKeyPem },
    });
  const { status, body } = await renew(["db", "web"]);
  equal(status, 200);
  const second = parseCertificate(body.certificate)!;
  notEqual(second.serial, first.serial);
  deepEqual(second.principal, first.principal);
  equal(second.dnsNames.length, 2);
  equal(second.validity.notAfterMs, f.nowMs + 24 * 60 * MINUTE_MS);
  equal((await renew(["prod"])).code, "token-out-of-scope");
});

Deno.test("an agent that is removed or locked is out at once", async () => {
  await using f = await Fixture.open();
  const certificate = await joined(f);
  const policy = () => f.ask("GET", "/v1/agent/policy", { certificate });
  equal((await policy()).status, 200);
  const { agents } = await f.auth.admin.listAgents();
  const { id } = agents[0]!;
  const { resource: lock } = await f.auth.admin.lock({ target: { agent: id } });
  equal((await policy()).code, "access-locked");
  await f.auth.admin.removeResource("lock", lock.metadata.name);
  equal((await policy()).status, 200);
  const locked: unknown[] = [];
  using _listener = f.auth.onLock((target) => locked.push(target));
  await f.auth.admin.removeAgent(id);
  equal((await policy()).code, "agent-unknown");
  deepEqual(locked, [{ agent: id }]);
});

Deno.test("the policy is what an agent needs to decide, and changes with it", async () => {
  await using f = await Fixture.open();
  const certificate = await joined(f);
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } } });
  const { body, headers } = await f.ask("GET", "/v1/agent/policy", { certificate });
  const policy = AgentPolicySchema.parse(body);
  deepEqual(policy.roles.map(({ name }) => name), ["access", "dev"]);
  deepEqual(policy.user_cas, f.auth.userCaPems());
  const held = { "if-none-match": headers.get("etag")! };
  equal((await f.ask("GET", "/v1/agent/policy", { certificate, headers: held })).status, 304);
  await f.auth.admin.lock({ target: { user: "mallory" }, ttl_seconds: 60, force: true });
  const next = await f.ask("GET", "/v1/agent/policy", { certificate, headers: held });
  deepEqual(next.body.locks, [
    { target: { user: "mallory" }, expires: new Date(f.nowMs + MINUTE_MS).toISOString() },
  ]);
});

Deno.test("an agent reports flows, in its own name only", async () => {
  await using f = await Fixture.open();
  const certificate = await joined(f);
  await f.serve({ name: "db" });
  const event = {
    event: "app.session.start",
    session_id: await f.right(await f.loggedIn("alice"), "db"),
    connection_id: "c1",
    user: "alice",
    app: "db",
    port: 5432,
    peer: "192.0.2.7:1234",
  };
  const report = (body: unknown) => f.ask("POST", "/v1/agent/audit", { certificate, body });
  equal((await report({ events: [{ ...event, agent_id: "somebody else", seq: 1 }] })).status, 204);
  const [record] = (await f.events()).filter((one) => one.event === "app.session.start");
  const { agents } = await f.auth.admin.listAgents();
  equal(record?.agent_id, agents.find(({ name }) => name === "agent-1")!.id);
  equal(record?.peer, "192.0.2.7:1234");
  ok(record!.seq > 1);
  equal((await report({ events: [{ ...event, event: "login.ok" }] })).code, "request-malformed");
  equal((await report({ events: [] })).code, "request-malformed");
});
