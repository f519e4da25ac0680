import { compilePorts, type HostPort, type PortRange } from "../../../config/mod.ts";
import { type AgentApp, type App } from "../../../wire/mod.ts";
import { parseDomainName } from "../../../dns/mod.ts";
import { decideAccess } from "../../../identity/mod.ts";
import type { Role } from "../../../config/mod.ts";
import { appId } from "../../../io/mod.ts";
import type { Changes } from "../changes.ts";
import type { AgentDirectory, AgentHandle, AgentIdentity } from "../types.ts";

/** An app as at least one connected agent serves it. */
export interface ServedApp {
  readonly app: App;
  readonly tcpPorts: readonly PortRange[] | null;
  /** Longest connected first. */
  readonly agents: readonly AgentHandle[];
}

/** What an offered app comes to, whatever others offer. */
interface Offer {
  readonly id: string;
  /** Equal for equal descriptions. */
  readonly spec: string;
  /** `null` if one is not a DNS name. */
  readonly addresses: readonly string[] | null;
  readonly tcpPorts: readonly PortRange[] | null;
}

/** An app while the list is put together. */
interface Served {
  readonly app: App;
  readonly spec: string;
  readonly tcpPorts: readonly PortRange[] | null;
  readonly agents: AgentHandle[];
}

type Hello = Parameters<AgentDirectory["connected"]>[0];

const APP_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_APPS = 50_000;

/**
 * Which agents are connected, and what they serve. Where two describe an app differently, the one that is connected
 * longest is believed and the other serves nobody until it agrees or the first is gone; so it is with a public
 * address that two apps claim. Otherwise a stray agent could change what a name means.
 */
export class Agents implements AgentDirectory {
  readonly #cluster: string;
  readonly #proxies: readonly HostPort[];
  readonly #changes: Changes;
  /** In the order they connected. */
  readonly #hellos = new Map<symbol, Hello>();
  /** Everything is put together anew when an agent comes or goes; what it is put together from stays. */
  readonly #offers = new WeakMap<AgentApp, Offer>();
  #byId: ReadonlyMap<string, ServedApp> = new Map();
  #refusals: ReadonlyMap<symbol, readonly { app: string; reason: string }[]> = new Map();
  #onGone: (agentId: string) => void = () => {};

  constructor(options: {
    readonly cluster: string;
    readonly proxies: readonly HostPort[];
    readonly changes: Changes;
  }) {
    this.#cluster = options.cluster;
    this.#proxies = options.proxies;
    this.#changes = options.changes;
  }

  connected(hello: Hello): readonly { readonly app: string; readonly reason: string }[] {
    this.#hellos.set(hello.instance, hello);
    this.#rebuild();
    return this.#refusals.get(hello.instance) ?? [];
  }

  disconnected(instance: symbol): void {
    const agentId = this.#hellos.get(instance)?.agent.agentId;
    if (agentId === undefined) return;
    this.#hellos.delete(instance);
    this.#rebuild();
    if (!this.connectedIds().has(agentId)) this.#onGone(agentId);
  }

  /** Calls back when the last control channel of an agent has ended. */
  set onGone(listener: (agentId: string) => void) {
    this.#onGone = listener;
  }

  agentsFor(id: string): readonly AgentHandle[] {
    return this.#byId.get(id)?.agents ?? [];
  }

  /** Every app that is served, sorted by name. */
  apps(): readonly ServedApp[] {
    return [...this.#byId.values()].sort((a, b) => a.app.name < b.app.name ? -1 : 1);
  }

  find(name: string): ServedApp | null {
    return this.#byId.get(appId(this.#cluster, name)) ?? null;
  }

  /** The apps that somebody with these roles may use, sorted by name. */
  appsFor(roles: readonly Role[]): App[] {
    return this.apps().filter(({ app }) => decideAccess(roles, app.labels).kind === "allowed")
      .map(({ app }) => app);
  }

  /** The agents that are connected, each once. */
  connectedIds(): ReadonlySet<string> {
    return new Set([...this.#hellos.values()].map(({ agent }) => agent.agentId));
  }

  #rebuild(): void {
    const served = new Map<string, Served>();
    // Names of proxies are nobody's app: taking them would cut clients off from the cluster
    const addresses = new Map(this.#proxies.map(({ host }) => [host, ""]));
    const refusals = new Map<symbol, { app: string; reason: string }[]>();
    for (const { agent, apps, instance } of this.#hellos.values()) {
      const handle = { agentId: agent.agentId, name: agent.name, instance };
      const certified = new Set(agent.apps);
      for (const offered of apps) {
        const reason = refusalOf(agent, certified, offered) ??
          this.#add(served, addresses, offered, handle);
        if (reason === null) continue;
        refusals.set(instance, [...refusals.get(instance) ?? [], { app: offered.name, reason }]);
      }
    }
    this.#byId = new Map(
      [...served].map(([id, { app, agents, tcpPorts }]) => [id, { app, agents, tcpPorts }]),
    );
    this.#refusals = refusals;
    this.#changes.notify();
  }

  /** @returns Why the app cannot be served by this agent, or `null` if it is. */
  #add(
    served: Map<string, Served>,
    addresses: Map<string, string>,
    offered: AgentApp,
    handle: AgentHandle,
  ): string | null {
    const { id, spec, addresses: wanted, tcpPorts } = this.#offerOf(offered);
    const held = served.get(id);
    if (held !== undefined) {
      if (held.spec !== spec) return "another agent describes this app differently";
      if (held.agents.some(({ instance }) => instance === handle.instance)) return "named twice";
      held.agents.push(handle);
      return null;
    }
    if (served.size >= MAX_APPS) return "the cluster serves too many apps";
    if (wanted === null) return "a public address is not a DNS name";
    const free = wanted.filter((address) => !addresses.has(address));
    if (free.length === 0) return takenWords(wanted, addresses);
    for (const address of free) addresses.set(address, offered.name);
    const app = { ...toApp(offered), cluster: this.#cluster, app_id: id, public_addrs: free };
    served.set(id, { app, spec, tcpPorts, agents: [handle] });
    return null;
  }

  #offerOf(offered: AgentApp): Offer {
    const known = this.#offers.get(offered);
    if (known !== undefined) return known;
    const offer = {
      id: appId(this.#cluster, offered.name),
      spec: canonical(offered),
      addresses: this.#addressesOf(offered),
      tcpPorts: compilePorts(offered.tcp_ports),
    };
    this.#offers.set(offered, offer);
    return offer;
  }

  /** An app without a public address is known below the proxy's own name. */
  #addressesOf(offered: AgentApp): string[] | null {
    const wanted = offered.public_addrs.length > 0
      ? offered.public_addrs
      : this.#proxies.map(({ host }) => `${offered.name}.${host}`);
    try {
      return [...new Set(wanted.map((address) => String(parseDomainName(address))))];
    } catch {
      return null;
    }
  }
}

/** @returns Why an agent may not serve an app whatever others serve, or `null`. */
function refusalOf(
  agent: AgentIdentity,
  certified: ReadonlySet<string>,
  offered: AgentApp,
): string | null {
  if (!APP_NAME.test(offered.name)) return "its name is not a DNS label";
  if (!certified.has(offered.name)) return "the agent's certificate is not for it";
  const missing = Object.keys(agent.requiredLabels).sort()
    .find((key) => offered.labels[key] !== agent.requiredLabels[key]);
  return missing === undefined ? null : `the agent's token asks for another label "${missing}"`;
}

/** Says who has the names that an app asks for. */
function takenWords(wanted: readonly string[], holders: ReadonlyMap<string, string>): string {
  const [first = ""] = wanted;
  const more = wanted.length > 1 ? `, and its other ${wanted.length - 1} are taken too` : "";
  const holder = holders.get(first);
  return holder === ""
    ? `its public address ${first} is the proxy's own${more}`
    : `its public address ${first} belongs to the app "${holder}"${more}`;
}

function toApp(offered: AgentApp): Pick<App, "name" | "labels" | "description" | "tcp_ports"> {
  return {
    name: offered.name,
    labels: sorted(offered.labels),
    ...(offered.description === undefined ? {} : { description: offered.description }),
    ...(offered.tcp_ports === undefined || offered.tcp_ports.length === 0
      ? {}
      : { tcp_ports: offered.tcp_ports }),
  };
}

/** The same text for the same description, whatever order its keys came in. */
function canonical(offered: AgentApp): string {
  return JSON.stringify([toApp(offered), [...offered.public_addrs].sort()]);
}

function sorted(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(labels).sort().map((key) => [key, labels[key]!]));
}
