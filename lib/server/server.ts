/**
 * `vnet server`: auth, proxy and, where the file names apps, a local agent, in one process.
 *
 * @module
 */
import { join } from "node:path";
import type { ServerConfig } from "../config/mod.ts";
import { ConfigError, describeError } from "../error.ts";
import { renewalDueMs } from "../identity/mod.ts";
import {
  generateKeyPair,
  parseCertificate,
  readConfigFile,
  splitPem,
  type TlsIdentity,
} from "../io/mod.ts";
import { DeadlinePassed, orAborted, pause, withDeadline } from "../wait.ts";
import { formatEndpoint, parseIp } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import { Agent, LocalUplink } from "./agent/mod.ts";
import { Auth, type PasswordCost, serveAdmin } from "./auth/mod.ts";
import { type AdmissionLimits, Proxy } from "./proxy/mod.ts";

const log = getLogger("server");

const ADMIN_SOCKET = "admin.sock";
const LOCAL_AGENT = "local";
const RENEW_CHECK_MS = 60_000;
const LOCAL_AGENT_MS = 10_000;

interface ServeOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How dear a password is to try; tests take a cheap one. */
  readonly passwordCost?: PasswordCost;
  readonly limits?: AdmissionLimits;
  /** How long the start waits for the apps of the server itself; 10 s if not given. */
  readonly localAgentMs?: number;
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
}

/**
 * Serves a cluster.
 *
 * @throws {ConfigError} when a file it names cannot be used, or the data directory is another cluster's.
 * @throws {OsError} `listen-failed`, `admin-socket-unusable`, `store-unusable`, `directory-unusable`.
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
    clusterName: config.clusterName,
    proxyPublicAddrs: config.proxy.publicAddrs,
    secondFactor: config.auth.secondFactor,
    now: options.now,
    ...(options.passwordCost === undefined ? {} : { passwordCost: options.passwordCost }),
  });
  made.defer(() => auth.close());
  const admin = await serveAdmin(auth.admin, join(config.dataDir, ADMIN_SOCKET));
  made.defer(() => admin.close());
  const certificate = await WebCertificate.open(config, auth, options.now);
  const proxy = new Proxy({
    listen: config.proxy.listen,
    auth,
    identity: certificate.identity,
    nowMs: options.now,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  made.defer(() => proxy.close());
  const renewing = certificate.keepRenewed(
    (identity) => proxy.setIdentity(identity),
    closing.signal,
  );
  made.defer(async () => {
    closing.abort();
    await renewing;
  });
  if (config.apps.length > 0) {
    const agent = await openLocalAgent(config, { auth, proxy, certificate, now: options.now });
    made.defer(() => agent.close());
    await waitConnected(agent, options.localAgentMs ?? LOCAL_AGENT_MS);
  }
  const { hostname, port } = proxy.address;
  const listenAddress = formatEndpoint({ address: parseIp(hostname), port });
  log.info("Serving", { cluster: config.clusterName, apps: config.apps.length });
  const owned = made.move();
  return {
    listenAddress,
    caPin: auth.hostCaPin(),
    auth,
    failed: Promise.withResolvers<never>().promise,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openLocalAgent(
  config: ServerConfig,
  parts: { auth: Auth; proxy: Proxy; certificate: WebCertificate; now: () => number },
): Promise<Agent> {
  const { auth, proxy, certificate, now } = parts;
  const [publicAddr] = config.proxy.publicAddrs;
  if (publicAddr === undefined) throw new TypeError("A proxy has a public address");
  const uplink = new LocalUplink({
    auth,
    name: LOCAL_AGENT,
    apps: config.apps.map(({ name }) => name),
    publicHost: publicAddr.host,
    proxyAddress: { host: reachable(proxy.address.hostname), port: proxy.address.port },
    trustPems: certificate.trustPems,
  });
  return await Agent.open({ uplink, apps: config.apps, nowMs: now }, new AbortController().signal);
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

/** The certificate of the web API: from files, or issued by the cluster and renewed at half its life. */
class WebCertificate {
  readonly #config: ServerConfig;
  readonly #auth: Auth;
  readonly #nowMs: () => number;
  readonly #isOurs: boolean;
  identity: TlsIdentity;

  private constructor(
    made: { config: ServerConfig; auth: Auth; nowMs: () => number; isOurs: boolean },
    identity: TlsIdentity,
  ) {
    this.#config = made.config;
    this.#auth = made.auth;
    this.#nowMs = made.nowMs;
    this.#isOurs = made.isOurs;
    this.identity = identity;
  }

  static async open(
    config: ServerConfig,
    auth: Auth,
    nowMs: () => number,
  ): Promise<WebCertificate> {
    const [pair, ...more] = config.proxy.httpsKeypairs;
    if (more.length > 0) {
      throw new ConfigError("https_keypairs", [{
        path: "proxy_service.https_keypairs",
        found: `${more.length + 1} pairs`,
        expected: "one pair: this version serves one web certificate",
      }]);
    }
    const made = { config, auth, nowMs, isOurs: pair === undefined };
    if (pair === undefined) return new WebCertificate(made, await issue(config, auth));
    const identity = {
      certificatePem: await readConfigFile(pair.certFile),
      privateKeyPem: await readConfigFile(pair.keyFile),
    };
    if (splitPem(identity.certificatePem).length > 0) return new WebCertificate(made, identity);
    throw new ConfigError(pair.certFile, [{
      path: "",
      found: "no certificate",
      expected: "certificates in PEM, the proxy's own first",
    }]);
  }

  /** What vouches for it, for clients in this process. */
  get trustPems(): readonly string[] {
    return this.#isOurs ? [this.#auth.hostCaPem()] : splitPem(this.identity.certificatePem);
  }

  async keepRenewed(use: (identity: TlsIdentity) => void, signal: AbortSignal): Promise<void> {
    while (this.#isOurs && !signal.aborted) {
      await pause(RENEW_CHECK_MS, signal);
      const [own = ""] = splitPem(this.identity.certificatePem);
      const held = parseCertificate(own);
      if (signal.aborted || (held !== null && this.#nowMs() < renewalDueMs(held.validity))) {
        continue;
      }
      try {
        this.identity = await issue(this.#config, this.#auth);
        use(this.identity);
        log.info("Renewed the proxy's certificate", {});
      } catch (thrown) {
        log.error("Cannot renew the proxy's certificate", { error: describeError(thrown) });
      }
    }
  }
}

async function issue(config: ServerConfig, auth: Auth): Promise<TlsIdentity> {
  const keys = await generateKeyPair();
  const names = config.proxy.publicAddrs.map(({ host }) => host);
  const { chainPem } = await auth.issueProxyCertificate(names, keys.publicKeyPem);
  return { certificatePem: chainPem, privateKeyPem: keys.privateKeyPem };
}
