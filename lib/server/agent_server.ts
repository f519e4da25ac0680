/**
 * `vnet agent`: the apps of a private network, for a cluster elsewhere.
 *
 * @module
 */
import {
  type AgentConfig,
  describeProxy,
  NO_PROXY_VARIABLES,
  proxyFor,
  type ProxyVariables,
} from "../config/mod.ts";
import {
  dialTcp,
  dialThrough,
  MACHINE_STORE,
  type MachineStore,
  type MoreAuthorities,
  readAuthorityFile,
} from "../io/mod.ts";
import { getLogger } from "../log.ts";
import { Agent, RemoteUplink } from "./agent/mod.ts";
import { type Diagnosed, serveDiag } from "./diag/diag.ts";
import { gauge } from "./diag/metrics.ts";
import type { Running } from "./server.ts";

const log = getLogger("server", "agent");

/** How long the cluster may take to certify other apps. */
const SERVE_MS = 15_000;

/** An agent of a cluster elsewhere. */
export interface RunningAgent extends Running {
  /** Resolves when a proxy has welcomed the agent for the first time. */
  readonly connected: Promise<void>;
  /** Where it says how it is doing; `null`: nowhere. */
  readonly diagAddress: Deno.NetAddr | null;
  /** See {@link Agent.serve}. */
  serve(apps: AgentConfig["apps"]): Promise<void>;
}

/**
 * Joins a cluster, or comes back to it, and serves.
 *
 * @throws {AuthError} `join-token-missing`, `ca-pin-mismatch`, or the cluster's refusal.
 * @throws {NetworkError} `proxy-unreachable` when a first join cannot be made.
 * @throws {ConfigError} when `ca_file` cannot be used.
 * @throws {OsError} `listen-failed` when `diag_addr` cannot be had.
 */
export async function serveAgent(
  config: AgentConfig,
  options: {
    readonly nowMs: () => number;
    readonly signal?: AbortSignal;
    /** What the environment says of HTTP proxies. */
    readonly proxies?: ProxyVariables;
    /** Whom the machine trusts; this one's if not given. */
    readonly store?: MachineStore;
  },
): Promise<RunningAgent> {
  const { proxies = NO_PROXY_VARIABLES, store = MACHINE_STORE } = options;
  const named = config.caFile === null ? [] : await readAuthorityFile(config.caFile);
  const authorities: MoreAuthorities = async () => [...named, ...await store.pems()];
  const decision = proxyFor(config.proxy, proxies);
  log.debug("Going to the proxy", { way: describeProxy(decision) });
  const uplink = new RemoteUplink(config, {
    nowMs: options.nowMs,
    dial: decision.proxy === null ? dialTcp : dialThrough(decision.proxy, { authorities }),
    authorities,
  });
  try {
    const agent = await Agent.open(
      { uplink, apps: config.apps, nowMs: options.nowMs },
      options.signal ?? new AbortController().signal,
    );
    const diag = await openDiag(config, agent, options.nowMs());
    log.info("Serving", { agent: config.name, apps: config.apps.length });
    return {
      connected: agent.connected,
      serve: (apps) => agent.serve(apps, AbortSignal.timeout(SERVE_MS)),
      diagAddress: diag?.address ?? null,
      failed: Promise.withResolvers<never>().promise,
      [Symbol.asyncDispose]: async () => {
        await diag?.close();
        await agent.close();
        uplink.close();
      },
    };
  } catch (thrown) {
    uplink.close();
    throw thrown;
  }
}

async function openDiag(
  { diag }: AgentConfig,
  agent: Agent,
  startedMs: number,
): Promise<ReturnType<typeof serveDiag> | null> {
  if (diag === null) return null;
  try {
    return serveDiag(diag, diagnoseAgent(agent), startedMs);
  } catch (thrown) {
    await agent.close();
    throw thrown;
  }
}

function diagnoseAgent(agent: Agent): Diagnosed {
  return {
    unready: () => {
      const { isConnected, hasPolicy } = agent.state;
      return Promise.resolve([
        ...(isConnected ? [] : ["no control channel to the proxy"]),
        ...(hasPolicy ? [] : ["the cluster's policy is not known yet"]),
      ]);
    },
    metrics: () => {
      const { isConnected, apps, flows, carriers, certificateExpiresMs } = agent.state;
      return Promise.resolve([
        gauge("vnet_proxy_connected", "Whether there is a control channel.", isConnected ? 1 : 0),
        gauge("vnet_apps_served", "Apps in the agent's file.", apps),
        gauge("vnet_flows_open", "Connections to apps.", flows),
        gauge("vnet_carriers_open", "Connections of clients that these run on.", carriers),
        gauge(
          "vnet_certificate_expiry_seconds",
          "When the agent's certificate ends, since 1970.",
          Math.floor(certificateExpiresMs / 1000),
        ),
      ]);
    },
  };
}
