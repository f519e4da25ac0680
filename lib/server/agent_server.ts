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
import type { Running } from "./server.ts";

const log = getLogger("server", "agent");

/** An agent of a cluster elsewhere. */
export interface RunningAgent extends Running {
  /** Resolves when a proxy has welcomed the agent for the first time. */
  readonly connected: Promise<void>;
}

/**
 * Joins a cluster, or comes back to it, and serves.
 *
 * @throws {AuthError} `join-token-missing`, `ca-pin-mismatch`, or the cluster's refusal.
 * @throws {NetworkError} `proxy-unreachable` when a first join cannot be made.
 * @throws {ConfigError} when `ca_file` cannot be used.
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
    log.info("Serving", { agent: config.name, apps: config.apps.length });
    return {
      connected: agent.connected,
      failed: Promise.withResolvers<never>().promise,
      [Symbol.asyncDispose]: async () => {
        await agent.close();
        uplink.close();
      },
    };
  } catch (thrown) {
    uplink.close();
    throw thrown;
  }
}
