import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { NO_PROXY_VARIABLES, readProxyVariables } from "../../lib/config/mod.ts";
import { readLogin } from "../../lib/client/cluster/own/credentials.ts";
import { login, ProfileStore } from "../../lib/client/mod.ts";
import { ConfigError, VnetError } from "../../lib/error.ts";
import { MachineStore } from "../../lib/io/mod.ts";
import { CompanyCa } from "../doubles/company_ca.ts";
import { ConnectProxy } from "../doubles/connect_proxy.ts";
import {
  app,
  carriesHello,
  echoServer,
  never,
  NO_STORE,
  PASSWORD,
  planned,
  PROXY_HOST,
  saysHello,
  TestCluster,
} from "./cluster.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A cluster whose web certificate is from a company's own authority, and that authority in files. */
async function world(apps: readonly string[] = []) {
  const ca = await CompanyCa.create();
  const cluster = await TestCluster.start(apps, {
    web: await ca.issue([PROXY_HOST, "127.0.0.1"]),
  });
  const file = `${cluster.dataDir}/corp.pem`;
  await Deno.writeTextFile(file, ca.certificatePem);
  return { ca, cluster, file, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

const storeOf = (variables: Record<string, string>) =>
  new MachineStore((name) => variables[name], { bundles: [], directories: [] });

async function logIn(
  cluster: TestCluster,
  configDir: string,
  how: {
    readonly store?: MachineStore;
    readonly authorityPems?: readonly string[];
    readonly caPin?: string;
    readonly proxy?: { readonly host: string; readonly port: number };
    readonly proxies?: typeof NO_PROXY_VARIABLES;
  } = {},
) {
  return await login({
    proxy: how.proxy ?? cluster.address,
    user: "alice",
    caPin: how.caPin ?? null,
    proxies: how.proxies ?? NO_PROXY_VARIABLES,
    ttlMs: null,
    configDir,
    signal: never(),
    drivers: [cluster.driverOn(how.store ?? NO_STORE)],
    ...(how.authorityPems === undefined ? {} : { authorityPems: how.authorityPems }),
    ask: { password: () => Promise.resolve(PASSWORD), totp: () => Promise.resolve("") },
  });
}

/** What a daemon does with a login, on a machine that knows nothing of the company. */
async function usesIt(
  cluster: TestCluster,
  configDir: string,
  port: number,
  app = "echo",
): Promise<void> {
  const [profile] = await new ProfileStore(configDir).list();
  ok(profile);
  const link = cluster.driverOn(NO_STORE).open(profile);
  try {
    equal((await link.reach(Date.now, never())).kind, "reached");
    const to = { target: planned(app), port };
    const right = await link.right({ ...to, proof: null }, never());
    await saysHello(await link.open({ ...to, right }, never()));
  } finally {
    await link.close();
  }
}

Deno.test("a cluster with a certificate of a company's own authority is logged in to", async (t) => {
  await using echo = echoServer();
  await using w = await world([app("echo", echo.port)]);
  const { cluster, ca, file } = w;
  const dir = () => Deno.makeTempDir({ dir: cluster.dataDir });

  await t.step("not without it: says who issued it, and what to do", async () => {
    await rejects(logIn(cluster, await dir()), (error: unknown) => {
      ok(error instanceof VnetError);
      equal(error.code, "proxy-untrusted");
      match(error.message, /issued by "Corp Root CA", which this machine does not trust$/);
      match(error.hint ?? "", /--ca-file.*--ca-pin/);
      return true;
    });
  });

  await t.step("by --ca-file; the daemon verifies alike, and so does the next login", async () => {
    const configDir = await dir();
    const profile = await logIn(cluster, configDir, { authorityPems: [ca.certificatePem] });
    deepEqual(readLogin(profile).caFilePems, [ca.certificatePem]);
    await usesIt(cluster, configDir, echo.port);
    const again = await logIn(cluster, configDir);
    deepEqual(readLogin(again).caFilePems, [ca.certificatePem]);
  });

  await t.step("by SSL_CERT_FILE; sudo drops it, and the daemon verifies alike", async () => {
    const configDir = await dir();
    await logIn(cluster, configDir, { store: storeOf({ SSL_CERT_FILE: file }) });
    await usesIt(cluster, configDir, echo.port);
  });

  await t.step("by SSL_CERT_DIR, as openssl rehash leaves it", async () => {
    const configDir = await dir();
    const certs = await dir();
    await Deno.copyFile(file, `${certs}/corp.crt`);
    equal((await new Deno.Command("openssl", { args: ["rehash", certs] }).output()).code, 0);
    await logIn(cluster, configDir, { store: storeOf({ SSL_CERT_DIR: certs }) });
    await usesIt(cluster, configDir, echo.port);
  });

  await t.step("by the distribution's bundle; nothing of it is written down", async () => {
    const store = new MachineStore(() => undefined, { bundles: [file], directories: [] });
    const { caStorePems, caFilePems } = readLogin(await logIn(cluster, await dir(), { store }));
    deepEqual([caStorePems, caFilePems], [[], []]);
  });

  await t.step("another name than the certificate's is not accepted for it", async () => {
    const proxy = { host: "localhost", port: cluster.address.port };
    await rejects(logIn(cluster, await dir(), { proxy, authorityPems: [ca.certificatePem] }), {
      code: "proxy-untrusted",
      message: /is for "proxy.test.example", "127.0.0.1", not for "localhost"$/,
    });
  });

  await t.step("an agent, by ca_file and without a pin", async () => {
    await using _agent = await cluster.joinAgent("edge", [app("far", echo.port)], {
      trust: `ca_file: ${file}`,
    });
    const configDir = await dir();
    await logIn(cluster, configDir, { authorityPems: [ca.certificatePem] });
    await usesIt(cluster, configDir, echo.port, "far");
  });

  await t.step("an agent, by the machine's store", async () => {
    await using _agent = await cluster.joinAgent("edge2", [app("far2", echo.port)], {
      trust: "",
      store: storeOf({ SSL_CERT_FILE: file }),
    });
  });

  await t.step("an agent whose ca_file cannot be used does not start", async () => {
    const trust = `ca_file: ${cluster.dataDir}/none.pem`;
    await rejects(cluster.joinAgent("edge3", [app("far3", 1)], { trust }), ConfigError);
  });
});

Deno.test("the command takes --ca-file and SSL_CERT_FILE", async (t) => {
  await using w = await world();
  const { cluster, file } = w;
  const run = async (args: readonly string[], env: Record<string, string> = {}) => {
    const home = await Deno.makeTempDir({ dir: cluster.dataDir });
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", MAIN, "--home", home, "login", "--user", "alice", "--password-stdin"],
        ...["--proxy", `127.0.0.1:${cluster.address.port}`, ...args],
      ],
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${PASSWORD}\n`));
    await writer.close();
    const { code, stderr } = await child.output();
    return { code, said: new TextDecoder().decode(stderr) };
  };
  await t.step("neither", async () => {
    const { code, said } = await run([]);
    equal(code, 1);
    match(said, /error: .*issued by "Corp Root CA".*\[proxy-untrusted\]\nhint: .*--ca-file/);
  });
  await t.step("--ca-file", async () => {
    const { code, said } = await run(["--ca-file", file]);
    equal(code, 0, said);
  });
  await t.step("SSL_CERT_FILE", async () => {
    const { code, said } = await run([], { SSL_CERT_FILE: file });
    equal(code, 0, said);
  });
  await t.step("a variable that names nothing is a warning", async () => {
    const { code, said } = await run(["--ca-file", file], { SSL_CERT_FILE: "/nowhere.pem" });
    equal(code, 0, said);
    match(said, /Cannot read trusted certificates.*\/nowhere\.pem/);
  });
  await t.step("a file without a certificate is refused before anything is sent", async () => {
    const { code, said } = await run(["--ca-file", MAIN]);
    equal(code, 1);
    match(said, /found no certificate, expected certificates in PEM form/);
  });
});

Deno.test("a cluster that is known by its pin is reached by an alias, all the way", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const configDir = await Deno.makeTempDir({ dir: cluster.dataDir });
  await logIn(cluster, configDir, {
    proxy: { host: "localhost", port: cluster.address.port },
    caPin: cluster.server.caPin,
  });
  await usesIt(cluster, configDir, echo.port);
});

Deno.test("an https:// HTTP proxy with a company's certificate leads to a cluster", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const ca = await CompanyCa.create();
  await using proxy = new ConnectProxy({
    login: "alice:p@ss",
    hosts: { [`${PROXY_HOST}:443`]: cluster.address },
    identity: await ca.issue(["127.0.0.1"]),
  });
  const proxies = readProxyVariables((name) =>
    name === "HTTPS_PROXY" ? proxy.url("alice:p%40ss") : undefined
  );
  const how = {
    proxy: { host: PROXY_HOST, port: 443 },
    caPin: cluster.server.caPin,
    proxies,
  };
  const configDir = await Deno.makeTempDir({ dir: cluster.dataDir });

  await t.step("not without the authority; it is told no password", async () => {
    await rejects(logIn(cluster, configDir, how), {
      code: "http-proxy-untrusted",
      message: /the HTTP proxy's certificate was issued by "Corp Root CA"/,
    });
    deepEqual(proxy.heads, []);
  });
  await t.step("login, API and apps", async () => {
    const profile = await logIn(cluster, configDir, { ...how, authorityPems: [ca.certificatePem] });
    const link = cluster.driver.open(profile);
    const reached = await link.reach(Date.now, never()).finally(() => link.close());
    const way = `through the HTTP proxy https://127.0.0.1:${proxy.port}, by HTTPS_PROXY`;
    equal(reached.way, `${way} (when logging in)`);
    await usesIt(cluster, configDir, echo.port);
  });
  await t.step("an agent", async () => {
    const file = `${cluster.dataDir}/corp.pem`;
    await Deno.writeTextFile(file, ca.certificatePem);
    await using _agent = await cluster.joinAgent("edge", [app("far", echo.port)], {
      server: `${PROXY_HOST}:443`,
      proxies,
      trust: `ca_pin: ${cluster.server.caPin}\nca_file: ${file}`,
    });
    const pool = cluster.pool();
    await carriesHello(pool, await cluster.target("far"));
    await pool.close();
  });
});
