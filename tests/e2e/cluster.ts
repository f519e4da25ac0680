/**
 * A whole cluster in this process, on loopback: auth, proxy and a local agent from one configuration, a user with a
 * role, and clients that log in as the real one does.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  type AgentConfig,
  type AppConfig,
  type HostPort,
  NO_PROXY_VARIABLES,
  parseAgentFile,
  parseServerFile,
  type ProxyVariables,
  type ServerConfig,
} from "../../lib/config/mod.ts";
import { readLogin } from "../../lib/client/cluster/own/credentials.ts";
import { AppRight } from "../../lib/client/cluster/own/link.ts";
import { ownDriver } from "../../lib/client/cluster/own/mod.ts";
import type { Profile } from "../../lib/client/cluster/profile.ts";
import type { Flow } from "../../lib/client/cluster/driver.ts";
import { parsePrefix } from "../../lib/ip/mod.ts";
import type { AppTarget } from "../../lib/plan/mod.ts";
import {
  type AppCredentials,
  appId,
  CarrierPool,
  type CarrierTarget,
  dialTcp,
  MachineStore,
  type ServerSettings,
} from "../../lib/io/mod.ts";
import {
  type RunningAgent,
  type RunningServer,
  serveAgent,
  serveCluster,
} from "../../lib/server/mod.ts";

export const CLUSTER = "test.example";
export const PROXY_HOST = "proxy.test.example";
export const PASSWORD = "correct horse battery";

/** A machine that trusts nobody but the public authorities. */
export const NO_STORE: MachineStore = new MachineStore(() => undefined, {
  bundles: [],
  directories: [],
});

/** A moment that tests move. */
export interface Clock {
  nowMs: number;
}

export interface Login {
  readonly profile: Profile;
  readonly settings: ServerSettings;
  readonly hostCaPems: readonly string[];
}

export class TestCluster implements AsyncDisposable {
  readonly clock: Clock;
  readonly dataDir: string;
  server: RunningServer;
  /** Its name, which is that of its apps' zone, too. */
  readonly name: string;
  readonly #apps: readonly string[];
  readonly #store: string;

  private constructor(
    made: {
      clock: Clock;
      server: RunningServer;
      dataDir: string;
      name: string;
      apps: readonly string[];
      store: string;
    },
  ) {
    this.clock = made.clock;
    this.server = made.server;
    this.dataDir = made.dataDir;
    this.name = made.name;
    this.#apps = made.apps;
    this.#store = made.store;
  }

  /** Starts a cluster whose local agent serves `apps`, and adds the user "alice" with the role "dev". */
  static async start(
    apps: readonly string[],
    options: {
      /** `test.example` if not given; its proxy is `proxy.NAME`. */
      readonly name?: string;
      /** What it goes by, if not a clock that stands still. */
      readonly clock?: Clock;
      readonly appLifeMs?: number;
      readonly limits?: NonNullable<Parameters<typeof serveCluster>[1]["limits"]>;
      /** How far the cluster's clock is behind the one TLS goes by. */
      readonly behindMs?: number;
      /** The certificate of the web API, if the cluster is not to issue one itself. */
      readonly web?: { readonly certificatePem: string; readonly privateKeyPem: string };
      /** What the cluster asks for beside passwords. */
      readonly secondFactor?: "off" | "optional";
      /** Prefixes of load balancers, as the file says them. */
      readonly trustedProxies?: readonly string[];
      /** Whether the server says how it is doing. */
      readonly diag?: boolean;
      /** Where the store is, as the file says it, if not in the data directory. */
      readonly store?: string;
      readonly passwordCost?: NonNullable<Parameters<typeof serveCluster>[1]["passwordCost"]>;
      /** Addresses of the proxy beside the usual ones, as `host:port`. */
      readonly publicAddrs?: readonly string[];
    } = {},
  ): Promise<TestCluster> {
    const dataDir = await Deno.makeTempDir({ prefix: "vnet-e2e-" });
    const {
      behindMs = 0,
      web,
      secondFactor = "off",
      trustedProxies = [],
      publicAddrs = [],
      diag = false,
      store = "{}",
      name = CLUSTER,
      ...rest
    } = options;
    if (web !== undefined) {
      await Deno.writeTextFile(`${dataDir}/web.crt`, web.certificatePem);
      await Deno.writeTextFile(`${dataDir}/web.key`, web.privateKeyPem);
    }
    const { clock = { nowMs: Date.now() - behindMs }, ...more } = rest;
    const config = serverConfig(dataDir, apps, {
      name,
      secondFactor,
      trustedProxies,
      publicAddrs,
      diag,
      store,
    });
    const server = await serveCluster(config, {
      nowMs: () => clock.nowMs,
      passwordCost: { logN: 4, r: 8, p: 1 },
      ...more,
    }).catch(async (error) => {
      await Deno.remove(dataDir, { recursive: true });
      throw error;
    });
    const cluster = new TestCluster({ clock, server, dataDir, name, apps, store });
    await cluster.putRole("dev", { env: "dev" });
    await cluster.addUser("alice", ["dev"]);
    return cluster;
  }

  /** Stops the server and starts it again on the same port and data. */
  async restart(): Promise<void> {
    const { listenAddress } = this.server;
    await this.server[Symbol.asyncDispose]();
    this.server = await serveCluster(
      serverConfig(this.dataDir, this.#apps, {
        name: this.name,
        listen: listenAddress,
        store: this.#store,
      }),
      {
        nowMs: () => this.clock.nowMs,
      },
    );
  }

  /** Waits until an agent that serves the app is connected. */
  async served(app: string): Promise<void> {
    const { auth } = this.server;
    for (;;) {
      const revision = auth.revision();
      if (auth.agents.agentsFor(appId(this.name, app)).length > 0) return;
      await auth.changed(revision, never());
    }
  }

  get address(): HostPort {
    const [host = "", port = ""] = this.server.listenAddress.split(":");
    return { host, port: Number(port) };
  }

  async putRole(
    name: string,
    allow: Record<string, string>,
    deny: Record<string, string> = {},
  ): Promise<void> {
    await this.server.auth.admin.putResource({
      kind: "role",
      version: "v1",
      metadata: { name },
      spec: { allow: { app_labels: allow }, deny: { app_labels: deny }, options: {} },
    }, { replace: true });
  }

  async addUser(name: string, roles: readonly string[]): Promise<void> {
    await this.server.auth.admin.addUser({
      name,
      roles: [...roles],
      password: PASSWORD,
      second_factor: false,
    });
  }

  /** How anybody reaches the web API, knowing the pin only. */
  settings(overrides: Partial<ServerSettings> = {}): ServerSettings {
    return {
      server: { host: `proxy.${this.name}`, port: this.address.port },
      trust: { kind: "pins", pins: [this.server.caPin] },
      identity: null,
      dial: (_address, signal) => dialTcp(this.address, signal),
      nowMs: () => this.clock.nowMs,
      ...overrides,
    };
  }

  /** The client's driver, by this cluster's clock. */
  get driver(): ReturnType<typeof ownDriver> {
    return this.driverOn(NO_STORE);
  }

  /** The same on a machine that trusts others. */
  driverOn(store: MachineStore): ReturnType<typeof ownDriver> {
    return ownDriver({ nowMs: () => this.clock.nowMs, store });
  }

  /** Logs in by the client's driver. @param proxy Where, if not at the server itself */
  async login(user = "alice", totp = "", proxy = this.address): Promise<Login> {
    const profile = await this.driver.login({
      proxy,
      user,
      caPin: this.server.caPin,
      proxies: NO_PROXY_VARIABLES,
      ttlMs: null,
      earlier: null,
      ask: { password: () => Promise.resolve(PASSWORD), totp: () => Promise.resolve(totp) },
    }, never());
    const { hostCaPems, certificatePem, privateKeyPem } = readLogin(profile);
    const trust = { kind: "authorities", pems: hostCaPems } as const;
    const identity = { certificatePem, privateKeyPem };
    return { profile, hostCaPems, settings: this.settings({ trust, identity }) };
  }

  /** Gets the right to a port of an app by the client's driver; port 0 is for an app without ports of its own. */
  async credentials(login: Login, app: string, port: number): Promise<AppCredentials> {
    const link = this.driver.open(login.profile);
    const target = { ...planned(app), ports: port === 0 ? null : [{ first: port, last: port }] };
    const right = await link.right({ target, port, proof: null }, never())
      .finally(() => link.close());
    if (right instanceof AppRight) return right;
    throw new TypeError("The right is of another kind of cluster");
  }

  /** All it takes to reach a port of an app. */
  async target(
    app: string,
    options: { port?: number; certPort?: number; login?: Login } = {},
  ): Promise<CarrierTarget> {
    const login = options.login ?? await this.login();
    return {
      appId: appId(CLUSTER, app),
      app,
      port: options.port ?? 5432,
      proxy: this.address,
      credentials: await this.credentials(login, app, options.certPort ?? 0),
      hostCaPems: login.hostCaPems,
    };
  }

  pool(): CarrierPool {
    return new CarrierPool({ nowMs: () => this.clock.nowMs });
  }

  /** Starts an agent that joins with a token; it serves before this returns. */
  async joinAgent(
    name: string,
    apps: readonly string[],
    through: {
      readonly server?: string;
      readonly proxies?: ProxyVariables;
      readonly store?: MachineStore;
      /** How the proxy is known, as the file says it. */
      readonly trust?: string;
    } = {},
  ): Promise<RunningAgent & { readonly config: AgentConfig }> {
    const dataDir = await Deno.makeTempDir({ prefix: "vnet-agent-", dir: this.dataDir });
    const { token } = await this.server.auth.admin.addToken({
      kind: "app",
      any: true,
      labels: {},
      ttl_seconds: 600,
      uses: 1,
    });
    await Deno.writeTextFile(`${dataDir}/token`, `${token}\n`);
    const config = parseAgentFile(
      `version: v1
name: ${name}
data_dir: ${dataDir}/state
proxy_server: ${through.server ?? `127.0.0.1:${this.address.port}`}
${through.trust ?? `ca_pin: ${this.server.caPin}`}
join: { token_file: ${dataDir}/token }
app_service:
  apps: [${apps.join(", ")}]
`,
      "agent.yaml",
    );
    const { proxies = NO_PROXY_VARIABLES, store = NO_STORE } = through;
    const agent = await serveAgent(config, { nowMs: () => this.clock.nowMs, proxies, store });
    await agent.connected;
    return { ...agent, config, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await Deno.remove(this.dataDir, { recursive: true });
  }
}

/** An app as a plan has it. */
export function planned(app: string): AppTarget {
  return {
    kind: "tcp",
    profile: CLUSTER,
    cluster: CLUSTER,
    app,
    appId: appId(CLUSTER, app),
    ports: null,
    httpHosts: null,
    range: parsePrefix("100.64.0.0/10"),
  };
}

/** Opens a flow to an echo, has it say hello, and ends it. */
export async function carriesHello(pool: CarrierPool, target: CarrierTarget): Promise<void> {
  await saysHello(await pool.acquire(target, never()));
}

/** Has an open flow to an echo say hello, and ends it. */
export async function saysHello(flow: Flow): Promise<void> {
  const { outer, inner } = await connPair();
  const ended = flow.splice(inner, never());
  await writeAll(outer, new TextEncoder().encode("hello"));
  if (await readText(outer, 5) !== "hello") throw new Error("It does not echo");
  await outer.closeWrite();
  await drain(outer);
  outer.close();
  const { reason } = await ended;
  if (reason !== "done") throw new Error(`The flow ended: ${reason}`);
}

/** Waits for an audit record that says so. */
export async function audited(
  cluster: TestCluster,
  wanted: (record: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  let after = 0;
  for (;;) {
    const { events } = await cluster.server.auth.admin.readAudit(
      { after, limit: 1000, wait_seconds: 10 },
      never(),
    );
    const found = events.find((event) => wanted(event as unknown as Record<string, unknown>));
    if (found !== undefined) return found as unknown as Record<string, unknown>;
    if (events.length === 0) throw new Error("Nothing like it was recorded");
    after = Math.max(...events.map(({ seq }) => seq));
  }
}

function keypairs(dataDir: string): string {
  try {
    Deno.statSync(`${dataDir}/web.crt`);
    return `, https_keypairs: [{ key_file: ${dataDir}/web.key, cert_file: ${dataDir}/web.crt }]`;
  } catch {
    return "";
  }
}

function serverConfig(
  dataDir: string,
  apps: readonly string[],
  {
    name,
    listen = "127.0.0.1:0",
    secondFactor = "off",
    trustedProxies = [],
    publicAddrs = [],
    diag = false,
    store = "{}",
  }: {
    readonly name: string;
    readonly store?: string;
    readonly listen?: string;
    readonly publicAddrs?: readonly string[];
    readonly secondFactor?: "off" | "optional";
    readonly trustedProxies?: readonly string[];
    readonly diag?: boolean;
  },
): ServerConfig {
  return parseServerFile(
    `version: v1
cluster_name: ${name}
data_dir: ${dataDir}
store: ${store}
auth_service: { second_factor: "${secondFactor}" }
proxy_service: { public_addr: ${
      JSON.stringify([`proxy.${name}:443`, "127.0.0.1:443", ...publicAddrs])
    }, listen_addr: "${listen}"${keypairs(dataDir)}, trusted_proxies: ${
      JSON.stringify(trustedProxies)
    } }
${diag ? 'diag_addr: "127.0.0.1:0"' : ""}
app_service:
  apps: [${apps.join(", ")}]
`,
    "server.yaml",
  );
}

/** One app of a file, in flow style. */
export function app(
  name: string,
  port: number,
  options: { labels?: Record<string, string>; ports?: readonly AppConfig["tcpPorts"][] | string } =
    {},
): string {
  const labels = JSON.stringify(options.labels ?? { env: "dev" });
  return options.ports === undefined
    ? `{ name: ${name}, uri: "tcp://127.0.0.1:${port}", labels: ${labels} }`
    : `{ name: ${name}, uri: "tcp://127.0.0.1", labels: ${labels}, tcp_ports: ${options.ports} }`;
}

/** A TCP server on loopback that does one thing with each connection, and closes it after. */
export class TestServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;
  readonly #conns = new Set<Deno.Conn>();
  connections = 0;

  constructor(handle: (conn: Deno.Conn) => Promise<void>) {
    this.#serving = this.#run(handle);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #run(handle: (conn: Deno.Conn) => Promise<void>): Promise<void> {
    const handling: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.connections++;
      this.#conns.add(conn);
      handling.push(
        handle(conn).catch(() => {}).finally(() => {
          this.#conns.delete(conn);
          close(conn);
        }),
      );
    }
    await Promise.all(handling);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) close(conn);
    await this.#serving;
  }
}

/** Sends back what it gets, and half-closes after the peer did. */
export function echoServer(): TestServer {
  return new TestServer(async (conn) => {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      await writeAll(conn, buffer.subarray(0, count));
    }
    await conn.closeWrite();
  });
}

/** Reads to the end, and only then answers with the number of bytes and their SHA-256. */
export function digestServer(): TestServer {
  return new TestServer(async (conn) => {
    const { bytes, digest } = await drain(conn);
    await writeAll(conn, new TextEncoder().encode(`${bytes} ${digest}\n`));
  });
}

/** A pair of connected loopback connections: what a program holds, and what the tunnel is given. */
export async function connPair(): Promise<{ outer: Deno.TcpConn; inner: Deno.TcpConn }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [outer, inner] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  outer.setNoDelay(true);
  return { outer, inner };
}

/** Reads to the end. */
export async function drain(conn: Deno.Conn): Promise<{ bytes: number; digest: string }> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(65_536);
  let bytes = 0;
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return { bytes, digest: hash.digest("hex") };
    hash.update(buffer.subarray(0, count));
    bytes += count;
  }
}

/** Reads exactly so many bytes, as text. */
export async function readText(conn: Deno.Conn, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, at));
}

export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Bytes that repeat nowhere near, and are the same in every run. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b9;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function close(conn: { close(): void }): void {
  try {
    conn.close();
  } catch {
    // it was closed already
  }
}

/** A signal that never fires. */
export function never(): AbortSignal {
  return new AbortController().signal;
}
