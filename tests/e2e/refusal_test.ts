import { equal, ok, rejects } from "node:assert/strict";
import { AuthError, NetworkError, VnetError } from "../../lib/error.ts";
import {
  appId,
  type CarrierTarget,
  generateKeyPair,
  importPublicKey,
  issueAppCertificate,
  issueAuthority,
  loadAuthority,
} from "../../lib/io/mod.ts";
import { app, CLUSTER, echoServer, never, TestCluster, TestServer } from "./cluster.ts";

/** What acquiring a flow throws. */
async function refusalOf(cluster: TestCluster, target: CarrierTarget): Promise<VnetError> {
  const pool = cluster.pool();
  try {
    const flow = await pool.acquire(target, never());
    flow.abort();
  } catch (thrown) {
    if (thrown instanceof VnetError) return thrown;
    throw thrown;
  } finally {
    await pool.close();
  }
  throw new Error("The flow was opened");
}

Deno.test("a flow that may not be is refused before it begins, and the client learns why", async (t) => {
  await using echo = echoServer();
  const gone = new TestServer(() => Promise.resolve());
  const closedPort = gone.port;
  await gone[Symbol.asyncDispose]();
  await using cluster = await TestCluster.start([
    app("echo", echo.port),
    app("prod", echo.port, { labels: { env: "prod" } }),
    app("gone", closedPort),
    app("many", 0, { ports: `[{ port: ${echo.port} }, { port: 6000, end_port: 6010 }]` }),
  ]);
  const login = await cluster.login();

  await t.step("nothing listens at the target: target-refused", async () => {
    const error = await refusalOf(cluster, await cluster.target("gone", { login }));
    equal(error.code, "target-refused");
    ok(error instanceof NetworkError);
    ok(error.hint !== null);
  });

  await t.step("another port than the certificate's: port-not-allowed", async () => {
    const target = await cluster.target("many", { login, certPort: echo.port, port: 6005 });
    equal((await refusalOf(cluster, target)).code, "port-not-allowed");
  });

  await t.step(
    "a port of the certificate that the app does not serve is not certified",
    async () => {
      await rejects(cluster.credentials(login, "many", 7000), { code: "port-not-allowed" });
    },
  );

  await t.step("no role for the app: no certificate", async () => {
    await rejects(cluster.credentials(login, "prod", 0), { code: "app-unknown" });
  });

  await t.step("the role was taken away since: the proxy takes the ticket no more", async () => {
    await cluster.putRole("brief", { env: "prod" });
    await cluster.addUser("bob", ["brief"]);
    const target = await cluster.target("prod", { login: await cluster.login("bob") });
    await cluster.putRole("brief", { env: "none" });
    equal((await refusalOf(cluster, target)).code, "ticket-refused");
  });

  await t.step("a ticket for another app: ticket-refused", async () => {
    const target = await cluster.target("echo", { login });
    const other = { ...target, appId: appId(CLUSTER, "gone") };
    equal((await refusalOf(cluster, other)).code, "ticket-refused");
  });

  await t.step("an expired certificate is not even shown: certificate-expired", async () => {
    const target = await cluster.target("echo", { login });
    const credentials = { ...target.credentials, expiresMs: cluster.clock.nowMs };
    equal((await refusalOf(cluster, { ...target, credentials })).code, "certificate-expired");
  });

  await t.step("a certificate of another cluster's authority: certificate-foreign", async () => {
    const target = await cluster.target("echo", { login });
    const error = await refusalOf(cluster, { ...target, credentials: await forge(target) });
    equal(error.code, "certificate-foreign");
    ok(error instanceof AuthError);
  });

  await t.step("an agent vouched for by somebody else: agent-untrusted", async () => {
    const target = await cluster.target("echo", { login });
    const other = await issueAuthority({ cluster: CLUSTER, kind: "host" }, cluster.clock.nowMs);
    const error = await refusalOf(cluster, { ...target, hostCaPems: [other.certificatePem] });
    equal(error.code, "agent-untrusted");
  });

  await t.step("nothing listens where the proxy was: proxy-unreachable", async () => {
    const target = await cluster.target("echo", { login });
    const error = await refusalOf(cluster, {
      ...target,
      proxy: { host: "127.0.0.1", port: closedPort },
    });
    equal(error.code, "proxy-unreachable");
  });
});

/** Credentials with a good ticket and a certificate that says the right things, signed by nobody we know. */
async function forge(target: CarrierTarget): Promise<CarrierTarget["credentials"]> {
  const nowMs = Date.now();
  const authority = await loadAuthority(
    await issueAuthority({ cluster: CLUSTER, kind: "user" }, nowMs),
  );
  const keys = await generateKeyPair();
  const publicKey = await importPublicKey(keys.publicKeyPem);
  if (publicKey === null) throw new Error("no key");
  const certificate = await issueAppCertificate(authority, {
    cluster: CLUSTER,
    user: "alice",
    publicKey,
    claims: {
      cluster: CLUSTER,
      app: target.app,
      publicAddr: "echo.proxy.test.example",
      port: 0,
      roles: ["dev"],
      sessionId: "0".repeat(32),
      loginId: "1".repeat(32),
      mfaTimeMs: null,
    },
  }, { nowMs, userNotAfterMs: nowMs + 3_600_000 });
  return {
    ...target.credentials,
    certificatePem: certificate.pem,
    privateKeyPem: keys.privateKeyPem,
  };
}
