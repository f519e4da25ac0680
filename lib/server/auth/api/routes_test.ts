import { deepEqual, equal, ok } from "node:assert/strict";
import { parseCertificate } from "../../../io/mod.ts";
import { FindResponseSchema } from "../../../wire/mod.ts";
import { MIN_CLIENT_VERSION, VERSION } from "../../../version.ts";
import { CLUSTER, Fixture, START_MS } from "../../../../tests/doubles/auth_service.ts";

const HOUR_MS = 3_600_000;

Deno.test("ping and find tell anybody what the cluster is", async () => {
  await using f = await Fixture.open({ proxyListenAddr: "0.0.0.0:443" });
  const address = "proxy.c.example:443";
  const paths = ["/webapi/ping", "/webapi/find", "/webapi/ping/local", "/v1/webapi/find"];
  for (const path of paths) {
    const { status, body } = await f.ask("GET", path);
    equal(status, 200);
    deepEqual(FindResponseSchema.parse(body), body);
    deepEqual(body, {
      cluster_name: CLUSTER,
      server_version: VERSION,
      min_client_version: MIN_CLIENT_VERSION,
      auth: {
        type: "local",
        second_factor: "optional",
        preferred_local_mfa: "otp",
        allow_passwordless: false,
        allow_headless: false,
        local: { name: "local" },
      },
      proxy: {
        public_addrs: [address],
        tls_routing_enabled: true,
        ssh: {
          public_addr: address,
          tunnel_public_addr: address,
          ssh_tunnel_public_addr: address,
          listen_addr: "0.0.0.0:443",
          tunnel_listen_addr: "0.0.0.0:443",
          web_listen_addr: "0.0.0.0:443",
        },
      },
    });
  }
});

Deno.test("a client takes the answer of a cluster that knows less", () => {
  const older = {
    cluster_name: CLUSTER,
    server_version: "0.1.0",
    min_client_version: "0.1.0",
    auth: { type: "local", second_factor: "off" },
    proxy: { public_addrs: ["proxy.c.example:443"], tls_routing_enabled: true },
  };
  deepEqual(FindResponseSchema.parse(older), older);
});

Deno.test("a request that is wrong is told what should be there", async (t) => {
  await using f = await Fixture.open();
  const cases: [name: string, body: unknown, message: string][] = [
    [
      "a number out of bounds",
      { user: "a", password: "x", tls_public_key: "k", ttl_seconds: 5 },
      "ttl_seconds must be at least 60",
    ],
    [
      "two mistakes",
      { user: 1, tls_public_key: "k" },
      "user must be a text; password must be a text",
    ],
    ["no object", [], "the body must be an object"],
  ];
  for (const [name, body, message] of cases) {
    await t.step(name, async () => {
      const answer = await f.ask("POST", "/v1/login/finish", { body });
      equal(answer.code, "request-malformed");
      equal(answer.body.error.message, `The request is wrong: ${message}`);
    });
  }
});

Deno.test("a request that is not understood is refused, and its values are not repeated", async (t) => {
  await using f = await Fixture.open();
  const secret = "hunter2hunter2";
  const stalled = () =>
    new ReadableStream({ start: (controller) => controller.error(new Error("gone")) });
  const cases: [name: string, path: string, body: unknown, status: number, code: string][] = [
    ["no JSON", "/v1/login/finish", "{", 400, "request-malformed"],
    ["no body", "/v1/login/finish", undefined, 400, "request-malformed"],
    ["a list", "/v1/login/finish", [], 400, "request-malformed"],
    ["a wrong type", "/v1/login/finish", { user: 1, password: secret }, 400, "request-malformed"],
    [
      "too long a password",
      "/v1/login/finish",
      {
        user: "a",
        password: secret.repeat(100),
        tls_public_key: "k",
      },
      400,
      "request-malformed",
    ],
    ["no such kind", "/v1/join", { token: secret, kind: "node" }, 400, "request-malformed"],
    ["too large", "/v1/login/begin", { user: "x".repeat(600_000) }, 413, "request-too-large"],
    ["nothing there", "/v1/nothing", {}, 404, "not-found"],
  ];
  for (const [name, path, body, status, code] of cases) {
    await t.step(name, async () => {
      const answer = await f.ask("POST", path, body === undefined ? {} : { body });
      equal(answer.status, status);
      equal(answer.code, code);
      ok(!JSON.stringify(answer.body).includes("hunter2"));
    });
  }
  await t.step("a body larger than it said", async () => {
    const chunk = new Uint8Array(64 * 1024).fill(0x20);
    let left = 20;
    const body = new ReadableStream({
      pull: (controller) => left-- > 0 ? controller.enqueue(chunk) : controller.close(),
    });
    const request = new Request("https://x/v1/login/begin", { method: "POST", body });
    const response = await f.auth.fetch(request, { address: "192.0.2.1", certificate: null });
    equal(response.status, 413);
    ok(left > 0, "The whole body was read");
  });
  await t.step("a body that breaks off", async () => {
    const request = new Request("https://x/v1/login/begin", { method: "POST", body: stalled() });
    const response = await f.auth.fetch(request, { address: "192.0.2.1", certificate: null });
    equal(response.status, 400);
    equal((await response.json()).error.message, "The body broke off");
  });
});

Deno.test("every request after the login wants a good certificate", async (t) => {
  await using f = await Fixture.open();
  await using other = await Fixture.open();
  const login = await f.loggedIn("alice");
  const foreign = await other.loggedIn("alice");
  const { certificate: agent } = await f.serve({ name: "db" });
  const app = parseCertificate((await f.appCert(login, "db")).body.certificate)!.der;
  const userPaths: ["GET" | "POST", string][] = [
    ["GET", "/v1/config"],
    ["GET", "/v1/apps"],
    ["POST", "/v1/certs/app"],
    ["POST", "/v1/logout"],
  ];
  const agentPaths: ["GET" | "POST", string][] = [
    ["GET", "/v1/agent/policy"],
    ["POST", "/v1/agent/renew"],
    ["POST", "/v1/agent/audit"],
  ];
  const codes = async (paths: typeof userPaths, certificate: Uint8Array | null) => {
    const answers = await Promise.all(
      paths.map(([method, path]) => f.ask(method, path, { certificate })),
    );
    for (const { status } of answers) equal(status, 401);
    return [...new Set(answers.map(({ code }) => code))].join();
  };
  const all = [...userPaths, ...agentPaths];
  await t.step("none", async () => equal(await codes(all, null), "certificate-required"));
  await t.step("garbage", async () => {
    equal(await codes(all, new Uint8Array([1, 2, 3])), "certificate-malformed");
  });
  await t.step("another cluster's of the same name", async () => {
    equal(await codes(all, foreign), "certificate-foreign");
  });
  await t.step(
    "an app certificate",
    async () => equal(await codes(all, app), "certificate-foreign"),
  );
  await t.step(
    "an agent's for a user",
    async () => equal(await codes(userPaths, agent), "certificate-foreign"),
  );
  await t.step(
    "a user's for an agent",
    async () => equal(await codes(agentPaths, login), "certificate-foreign"),
  );
  await t.step("one that is not yet valid", async () => {
    f.nowMs = START_MS - HOUR_MS;
    equal(await codes(userPaths, login), "certificate-not-yet-valid");
    f.nowMs = START_MS;
  });
  await t.step("one that has expired", async () => {
    f.nowMs = START_MS + 12 * HOUR_MS;
    equal(await codes(userPaths, login), "certificate-expired");
    f.nowMs = START_MS + 24 * HOUR_MS;
    equal(await codes(agentPaths, agent), "certificate-expired");
  });
});

Deno.test("logout ends the login and every app session drawn from it", async () => {
  await using f = await Fixture.open();
  await f.serve({ name: "db" });
  const alice = await f.loggedIn("alice");
  const bob = await f.loggedIn("bob");
  const { body: { ticket } } = await f.appCert(alice, "db");
  const { body: { ticket: bobs } } = await f.appCert(bob, "db");
  const locked: unknown[] = [];
  using _listener = f.auth.onLock((target) => locked.push(target));
  const { sessionId } = (await f.auth.verifyTicket(ticket))!;
  const { sessionId: login } = await f.auth.verifyUserCertificate(alice) as { sessionId: string };
  equal((await f.ask("POST", "/v1/logout", { certificate: alice })).status, 204);
  equal((await f.ask("GET", "/v1/apps", { certificate: alice })).code, "session-ended");
  equal(await f.auth.verifyTicket(ticket), null);
  ok(await f.auth.verifyTicket(bobs));
  ok(locked.some((target) => JSON.stringify(target) === JSON.stringify({ session: sessionId })));
  // Agents learn it from the policy, until what was drawn can only have expired
  const locks = async () => (await f.auth.policy()).locks.map(({ target }) => target);
  deepEqual(await locks(), [{ session: login }]);
  f.nowMs += HOUR_MS;
  deepEqual(await locks(), []);
});

Deno.test("a user who is removed, reset or locked is out at once", async (t) => {
  await using f = await Fixture.open();
  const codeOf = async (certificate: Uint8Array) => {
    return (await f.ask("GET", "/v1/config", { certificate })).code;
  };
  const [alice, bob, carol] = [
    await f.loggedIn("alice"),
    await f.loggedIn("bob"),
    await f.loggedIn("carol"),
  ];
  equal(await codeOf(alice), null);
  await t.step("removed", async () => {
    await f.auth.admin.removeUser("alice");
    equal(await codeOf(alice), "session-ended");
    // A user who is made again under that name is somebody else
    await f.addUser("alice");
    equal(await codeOf(alice), "session-ended");
  });
  await t.step("reset", async () => {
    await f.auth.admin.resetUser({ name: "bob" });
    equal(await codeOf(bob), "session-ended");
  });
  await t.step("locked", async () => {
    const { resource: lock } = await f.auth.admin.lock({
      target: { role: "access" },
      ttl_seconds: 60,
    });
    equal(await codeOf(carol), "access-locked");
    const { body } = await f.ask("GET", "/v1/config", { certificate: carol });
    equal(
      body.error.message,
      'Everybody with the role "access" is locked out until 2026-01-01T00:01:00.000Z',
    );
    f.nowMs += 60_000;
    equal(await codeOf(carol), null);
    await f.auth.admin.removeResource("lock", lock.metadata.name);
  });
});

Deno.test("apps are what the roles allow, sorted, and say nothing of targets", async () => {
  await using f = await Fixture.open();
  await f.addRole("dev", {
    allow: { app_labels: { env: "dev" } },
    deny: { app_labels: { kind: "db" } },
  });
  await f.serve(
    {
      name: "web",
      labels: { env: "dev" },
      tcp_ports: [{ port: 80 }, { port: 8000, end_port: 8010 }],
    },
    { name: "api", labels: { env: "dev" } },
    { name: "db", labels: { env: "dev", kind: "db" } },
    { name: "prod", labels: { env: "prod" } },
  );
  const namesOf = async (certificate: Uint8Array) => {
    const { body } = await f.ask("GET", "/v1/apps", { certificate });
    return body.apps.map(({ name }: { name: string }) => name);
  };
  deepEqual(await namesOf(await f.loggedIn("alice", ["dev"])), ["api", "web"]);
  deepEqual(await namesOf(await f.loggedIn("root", ["access"])), ["api", "db", "prod", "web"]);
  deepEqual(await namesOf(await f.loggedIn("both", ["access", "dev"])), ["api", "prod", "web"]);
  const { body } = await f.ask("GET", "/v1/apps", {
    certificate: await f.loggedIn("bob", ["dev"]),
  });
  deepEqual(body.apps[1], {
    name: "web",
    cluster: CLUSTER,
    app_id: body.apps[1].app_id,
    public_addrs: ["web.proxy.c.example"],
    labels: { env: "dev" },
    tcp_ports: [{ port: 80 }, { port: 8000, end_port: 8010 }],
  });
});

Deno.test("users of one role that goes by who they are see each their own apps", async () => {
  await using f = await Fixture.open();
  await f.addRole("own", { allow: { app_labels: { owner: "{{user}}" } } });
  await f.serve(
    { name: "a", labels: { owner: "alice" } },
    { name: "b", labels: { owner: "bob" } },
  );
  const seen = async (certificate: Uint8Array) => {
    const { body } = await f.ask("GET", "/v1/apps", { certificate });
    return body.apps.map(({ name }: { name: string }) => name);
  };
  const [alice, bob] = [await f.loggedIn("alice", ["own"]), await f.loggedIn("bob", ["own"])];
  deepEqual([await seen(alice), await seen(bob)], [["a"], ["b"]]);
});
