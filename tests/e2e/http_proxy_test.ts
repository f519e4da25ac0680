import { equal, match, ok, rejects } from "node:assert/strict";
import { NO_PROXY_VARIABLES, readProxyVariables } from "../../lib/config/mod.ts";
import { dialThrough, HttpClient } from "../../lib/io/mod.ts";
import { z } from "zod";
import { readLogin } from "../../lib/client/cluster/own/credentials.ts";
import { login, logout, ProfileStore } from "../../lib/client/mod.ts";
import { ConnectProxy } from "../doubles/connect_proxy.ts";
import {
  app,
  carriesHello,
  echoServer,
  never,
  PASSWORD,
  planned,
  PROXY_HOST,
  saysHello,
  TestCluster,
} from "./cluster.ts";

const LOGIN = "alice:p%40ss";

/** A cluster that is reached through an HTTP proxy alone, under a name that nothing here resolves. */
async function world(apps: readonly string[]) {
  const cluster = await TestCluster.start(apps);
  const proxy = new ConnectProxy({
    login: "alice:p@ss",
    hosts: { [`${PROXY_HOST}:443`]: cluster.address },
  });
  const through = (login?: string) =>
    readProxyVariables((name) => name === "HTTPS_PROXY" ? proxy.url(login) : undefined);
  return {
    cluster,
    proxy,
    through,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

function logIn(cluster: TestCluster, configDir: string, proxies: typeof NO_PROXY_VARIABLES) {
  return login({
    proxy: { host: PROXY_HOST, port: 443 },
    user: "alice",
    caPin: cluster.server.caPin,
    proxies,
    ttlMs: null,
    configDir,
    signal: never(),
    ask: { password: () => Promise.resolve(PASSWORD), totp: () => Promise.resolve("") },
  });
}

Deno.test("a login goes through the HTTP proxy of the environment, and remembers it", async (t) => {
  await using echo = echoServer();
  await using w = await world([app("echo", echo.port)]);
  const { cluster, proxy } = w;
  const configDir = await Deno.makeTempDir({ dir: cluster.dataDir });

  await t.step("other credentials: http-proxy-denied, and what to do", async () => {
    await rejects(logIn(cluster, configDir, w.through("alice:wrong")), (error: unknown) => {
      ok(error instanceof Error && "code" in error && "hint" in error);
      equal(error.code, "http-proxy-denied");
      match(String(error.hint), /HTTPS_PROXY/);
      return !`${error.message}${error.hint}`.includes("wrong");
    });
  });

  await t.step("a cluster that the proxy does not know: http-proxy-refused", async () => {
    const elsewhere = {
      ...{ proxy: { host: "other.test.example", port: 443 }, user: "alice", caPin: null },
      ...{ ttlMs: null, configDir, signal: never(), proxies: w.through(LOGIN) },
      ask: { password: () => Promise.resolve(""), totp: () => Promise.resolve("") },
    };
    await rejects(login(elsewhere), { code: "http-proxy-refused" });
  });

  await t.step("the right ones: logged in, by the cluster's own certificate", async () => {
    const profile = await logIn(cluster, configDir, w.through(LOGIN));
    equal(readLogin(profile).httpProxy?.port, proxy.port);
    match(proxy.heads.at(-1) ?? "", new RegExp(`^CONNECT ${PROXY_HOST}:443 HTTP/1.1`));
  });

  await t.step("saved for the owner's eyes only, and read again", async () => {
    const [profile] = await new ProfileStore(configDir).list();
    ok(profile);
    equal(readLogin(profile).httpProxy?.credentials?.password, "p@ss");
    const dir = `${configDir}/profiles`;
    for await (const { name } of Deno.readDir(dir)) {
      equal(((await Deno.stat(`${dir}/${name}`)).mode ?? 0) & 0o777, 0o600);
    }
  });

  await t.step("an app is reached through it as well", async () => {
    const [profile] = await new ProfileStore(configDir).list();
    ok(profile);
    const asked = proxy.heads.length;
    const link = cluster.driver.open(profile);
    const to = { target: planned("echo"), port: echo.port };
    const right = await link.right({ ...to, proof: null }, never());
    await saysHello(await link.open({ ...to, right }, never()));
    await link.close();
    ok(proxy.heads.length > asked);
  });

  await t.step("TLS is checked as ever: another pin is refused", async () => {
    const settings = cluster.settings({
      server: { host: PROXY_HOST, port: 443 },
      trust: { kind: "pins", pins: [`sha256:${"0".repeat(64)}`] },
      dial: dialThrough({
        scheme: "http",
        host: "127.0.0.1",
        port: proxy.port,
        credentials: { user: "alice", password: "p@ss" },
      }),
    });
    using http = new HttpClient(settings);
    await rejects(
      http.request({ method: "GET", path: "/webapi/find", schema: z.unknown() }, never()),
      { code: "ca-pin-mismatch" },
    );
  });

  await t.step("the logout goes the same way", async () => {
    const asked = proxy.heads.length;
    await logout({ configDir, which: null, nowMs: Date.now(), signal: never() });
    ok(proxy.heads.length > asked);
    equal((await cluster.server.auth.admin.status()).sessions, 0);
  });
});

Deno.test("an agent joins and serves through an HTTP proxy", async () => {
  await using echo = echoServer();
  await using w = await world([]);
  const { cluster, proxy } = w;
  await using _agent = await cluster.joinAgent("edge", [app("echo", echo.port)], {
    server: `${PROXY_HOST}:443`,
    proxies: w.through(LOGIN),
  });
  const pool = cluster.pool();
  await carriesHello(pool, await cluster.target("echo"));
  await pool.close();
  // The join, the policy, the control channel, and a data channel at least
  ok(proxy.heads.length >= 4);
});

Deno.test("NO_PROXY lets a cluster be reached directly", async () => {
  await using w = await world([]);
  const { cluster, proxy } = w;
  const variables: Record<string, string> = {
    HTTPS_PROXY: proxy.url(LOGIN),
    NO_PROXY: PROXY_HOST,
  };
  const configDir = await Deno.makeTempDir({ dir: cluster.dataDir });
  const attempt = logIn(cluster, configDir, readProxyVariables((name) => variables[name]));
  // Directly, nothing resolves the name
  await rejects(attempt, { code: "proxy-unreachable" });
  equal(proxy.heads.length, 0);
});
