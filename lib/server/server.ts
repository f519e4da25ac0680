/**
 * `vnet server`: auth, proxy and, where the file names apps, a local agent, in one process.
 *
 * @module
 */
import { join } from "node:path";
import type { ServerConfig } from "../config/mod.ts";
import { OsError } from "../error.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../wait.ts";
import { dialTcp } from "../io/mod.ts";
import { formatEndpoint, parseIp } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import { Agent, LocalUplink } from "./agent/mod.ts";
import { Auth, type PasswordCost, serveAdmin, SyslogSink, WebhookSink } from "./auth/mod.ts";
import { type AdmissionLimits, dialAsBalancer, isTrustedProxy, Proxy } from "./proxy/mod.ts";
import { type Diagnosed, serveDiag } from "./diag/diag.ts";
import { gauge } from "./diag/metrics.ts";
import { LeafLinks } from "./leaf/mod.ts";
import { WebCertificate } from "./web_certificate.ts";

const log = getLogger("server");

const ADMIN_SOCKET = "admin.sock";
const LOCAL_AGENT = "local";
const LOCAL_AGENT_MS = 10_000;

interface ServeOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** How dear a password is to try; tests take a cheap one. */
  readonly passwordCost?: PasswordCost;
  /** The longest life of an app certificate, if shorter than the usual hour: for tests. */
  readonly appLifeMs?: number;
  readonly limits?: AdmissionLimits;
  /** How long the start waits for the apps of the server itself; 10 s if not given. */
  readonly localAgentMs?: number;
  /** How often the files of the proxy's certificate are looked at; 10 s if not given. */
  readonly certificateCheckMs?: number;
}

/** A service that runs until it is disposed of. */
export interface Running extends AsyncDisposable {
  /** Rejects when the service cannot go on. */
  readonly failed: Promise<never>;
}

/** A cluster's server. */
export interface RunningServer extends Running {
  /** Where the proxy listens, as `address:port`, with the port that was given for port 0. */
  readonly listenAddress: string;
  /** `sha256:…` of the host CA, for first logins. */
  readonly caPin: string;
  readonly auth: Auth;
  /** Where it says how it is doing; `null`: nowhere. */
  readonly diagAddress: Deno.NetAddr | null;
  /** Reads again what can be read again: the files of the proxy's certificate. Never rejects. */
  reload(): Promise<void>;
}

/**
 * Serves a cluster.
 *
 * @throws {ConfigError} when a file it names cannot be used, or the data directory is another cluster's.
 * @throws {OsError} `listen-failed`, `admin-socket-unusable`, `directory-unusable`, and what `openStore` throws.
 */
export async function serveCluster(
  config: ServerConfig,
  options: ServeOptions,
): Promise<RunningServer> {
  const closing = new AbortController();
  await using made = new AsyncDisposableStack();
  made.defer(() => closing.abort());
  const auth = await Auth.open({
    dataDir: config.dataDir,
    store: config.store,
    clusterName: config.clusterName,
    proxyPublicAddrs: config.proxy.publicAddrs,
    proxyListenAddr: formatEndpoint(config.proxy.listen),
    secondFactor: config.auth.secondFactor,
    auditSinks: [
      ...config.audit.syslog.map((address) => new SyslogSink(address)),
      ...config.audit.webhooks.map((webhook) => new WebhookSink(webhook)),
    ],
    nowMs: options.nowMs,
    ...(options.passwordCost === undefined ? {} : { passwordCost: options.passwordCost }),
    ...(options.appLifeMs === undefined ? {} : { appLifeMs: options.appLifeMs }),
  });
  made.defer(() => auth.close());
  const admin = await serveAdmin(auth.admin, join(config.dataDir, ADMIN_SOCKET));
  made.defer(() => admin.close());
  const certificate = await WebCertificate.open(config, auth, options.nowMs);
  auth.admin.webCertificate = () => certificate.status();
  const proxy = new Proxy({
    listen: config.proxy.listen,
    auth,
    identity: certificate.identity,
    nowMs: options.nowMs,
    trustedProxies: config.proxy.trustedProxies,
    knownHosts: await auth.knownHosts(),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  made.defer(() => proxy.close());
  const links = new LeafLinks({
    roots: auth.roots,
    foreign: proxy.foreign,
    revision: () => auth.revision(),
    changed: (since, signal) => auth.changed(since, signal),
    nowMs: options.nowMs,
  });
  made.defer(() => links.close());
  certificate.onChange = (identity) => proxy.setIdentity(identity);
  const renewing = certificate.keepRenewed(closing.signal, options.certificateCheckMs);
  made.defer(async () => {
    closing.abort();
    await renewing;
  });
  if (config.apps.length > 0) {
    const agent = await openLocalAgent(config, { auth, proxy, certificate, nowMs: options.nowMs });
    made.defer(() => agent.close());
    await waitConnected(agent, options.localAgentMs ?? LOCAL_AGENT_MS);
  }
  const diag = config.diag === null
    ? null
    : serveDiag(config.diag, diagnoseServer(auth, proxy), options.nowMs());
  if (diag !== null) made.defer(() => diag.close());
  const { hostname, port } = proxy.address;
  const listenAddress = formatEndpoint({ address: parseIp(hostname), port });
  log.info("Serving", { cluster: config.clusterName, apps: config.apps.length });
  const owned = made.move();
  return {
    listenAddress,
    caPin: auth.hostCaPin(),
    auth,
    diagAddress: diag?.address ?? null,
    reload: () => certificate.reload(),
    failed: Promise.withResolvers<never>().promise,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function diagnoseServer(auth: Auth, proxy: Proxy): Diagnosed {
  return {
    unready: async () => {
      const store = await auth.probe().then(() => [], (thrown) => [
        `the store cannot be read${thrown instanceof OsError ? `: ${thrown.code}` : ""}`,
      ]);
      return proxy.isOpen ? store : [...store, "the proxy is shutting down"];
    },
    metrics: async () => {
      const { connections, relays } = proxy.load;
      return [
        gauge("vnet_connections_open", "Connections to the public port.", connections),
        gauge("vnet_relays_open", "Those that lead from a client to an agent.", relays),
        ...await auth.metrics(),
      ];
    },
  };
}

async function openLocalAgent(
  config: ServerConfig,
  parts: { auth: Auth; proxy: Proxy; certificate: WebCertificate; nowMs: () => number },
): Promise<Agent> {
  const { auth, proxy, certificate, nowMs } = parts;
  const [publicAddr] = config.proxy.publicAddrs;
  if (publicAddr === undefined) throw new TypeError("A proxy has a public address");
  const host = reachable(proxy.address.hostname);
  const isBalancer = isTrustedProxy(config.proxy.trustedProxies, parseIp(host));
  const uplink = new LocalUplink({
    auth,
    name: LOCAL_AGENT,
    publicHost: publicAddr.host,
    proxyAddress: { host, port: proxy.address.port },
    dial: isBalancer ? dialAsBalancer : dialTcp,
    trustPems: () => certificate.trustPems,
  });
  return await Agent.open({ uplink, apps: config.apps, nowMs }, new AbortController().signal);
}

/** An agent that cannot get to its own proxy, because of a certificate for another name say, holds nobody up. */
async function waitConnected(agent: Agent, ms: number): Promise<void> {
  try {
    await withDeadline(ms, null, (signal) => orAborted(agent.connected, signal));
  } catch (thrown) {
    if (!(thrown instanceof DeadlinePassed)) throw thrown;
    log.error("The server's own agent cannot reach the proxy; it goes on trying", {});
  }
}

/** An address that a listener can be reached at from its own host. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  return hostname === "::" ? "::1" : hostname;
}
