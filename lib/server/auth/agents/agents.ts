import { compilePorts, type PortRange } from "../../../config/mod.ts";
import type { AgentApp, App, AwayApp } from "../../../wire/mod.ts";
import { decideAccess } from "../../../identity/mod.ts";
import type { PersonalRole } from "../../../config/mod.ts";
import { appId } from "../../../io/mod.ts";
import { orAborted, withDeadline } from "../../../wait.ts";
import type { Changes } from "../changes.ts";
import type { AgentDirectory, AgentHandle, AgentIdentity, Hello, OfferRefusal } from "../types.ts";
import type { AppHolders } from "./app_holders.ts";
import { GoneApps } from "./gone_apps.ts";
import type { PublicAddrs } from "./public_addrs.ts";
import type { Returning } from "./returning.ts";

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
  readonly tcpPorts: readonly PortRange[] | null;
}

/** An app while the list is put together. */
interface Served {
  readonly app: App;
  readonly spec: string;
  readonly tcpPorts: readonly PortRange[] | null;
  readonly agents: AgentHandle[];
}

type Refused = readonly OfferRefusal[];

const APP_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_APPS = 50_000;
/** So long whoever wants an app waits for an agent that was there a moment ago. */
const RETURN_MS = 5_000;
/** So long after a start a list of apps waits for those that served them before it. */
const SETTLE_MS = 3_000;

/**
 * Which agents are connected, and what they serve. Which names an agent's apps may have does not depend on who else
 * is connected: {@link PublicAddrs} and {@link AppHolders} know. Where two agents that may both serve an app describe
 * it differently, the one that is connected longest is believed, and the other serves nobody until it agrees or the
 * first is gone.
 */
export class Agents implements AgentDirectory {
  readonly #cluster: string;
  readonly #addrs: PublicAddrs;
  readonly #holders: AppHolders;
  readonly #changes: Changes;
  readonly #gone: GoneApps;
  readonly #returning: Returning;
  /** The apps that are listed though nobody serves them, as far as was looked. */
  #lingering: ReadonlySet<string> = new Set();
  /** In the order they connected. */
  readonly #hellos = new Map<symbol, Hello>();
  /** Everything is put together anew when an agent comes or goes; what it is put together from stays. */
  readonly #offers = new WeakMap<AgentApp, Offer>();
  #byId: ReadonlyMap<string, ServedApp> = new Map();
  #refusals: ReadonlyMap<symbol, Refused> = new Map();
  #onGone: (agentId: string) => void = () => {};

  constructor(options: {
    readonly cluster: string;
    readonly addrs: PublicAddrs;
    readonly holders: AppHolders;
    readonly changes: Changes;
    readonly returning: Returning;
    readonly nowMs: () => number;
  }) {
    this.#cluster = options.cluster;
    this.#addrs = options.addrs;
    this.#holders = options.holders;
    this.#changes = options.changes;
    this.#gone = new GoneApps(options.nowMs);
    this.#returning = options.returning;
  }

  /**
   * An agent said hello, or said it again with other apps.
   *
   * @returns What it may not have; such apps are not listed and nobody is sent to it for them.
   */
  connected(hello: Hello): Refused {
    this.#hellos.set(hello.instance, hello);
    this.#gone.back(hello.agent.agentId);
    this.#returning.forget(hello.agent.agentId);
    this.#rebuild(hello.instance);
    return this.#refusals.get(hello.instance) ?? [];
  }

  /** Judges everything again: whose names are whose is different. */
  review(): void {
    this.#rebuild();
  }

  /** The apps of an offer that an agent may serve, whatever addresses they have. */
  allowed({ agent, apps }: Pick<Hello, "agent" | "apps">): AgentApp[] {
    const certified = new Set(agent.apps);
    return apps.filter((app) => this.#refusalOf(agent, certified, app) === null);
  }

  /** What connected agents offer and may not have. */
  refusals(): readonly (OfferRefusal & Pick<AgentHandle, "agentId" | "name">)[] {
    return [...this.#hellos].flatMap(([instance, { agent: { agentId, name } }]) =>
      (this.#refusals.get(instance) ?? []).map((one) => ({ ...one, agentId, name }))
    );
  }

  disconnected(instance: symbol): void {
    const agentId = this.#hellos.get(instance)?.agent.agentId;
    if (agentId === undefined) return;
    this.#hellos.delete(instance);
    const before = this.#byId;
    this.#rebuild();
    for (const [id, { app, agents }] of before) {
      const wasItsOwn = agents.some((agent) => agent.instance === instance);
      if (!wasItsOwn || this.#byId.has(id)) continue;
      this.#gone.gone(app, agentId);
    }
    this.#linger();
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

  /** The apps that somebody with these roles may use, sorted by name; those whose agent just went are among them. */
  appsFor(roles: readonly PersonalRole[]): App[] {
    const apps = [...this.#byId.values()].map(({ app }) => app);
    return [...apps, ...this.#gone.listed()]
      .filter(({ labels }) => decideAccess(roles, labels).kind === "allowed")
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Has the list told anew from which apps vanish whose agents did not come back. */
  expire(): void {
    const before = this.#lingering;
    this.#linger();
    if (!before.isSubsetOf(this.#lingering)) this.#changes.notify();
  }

  /** Nobody waits for an agent any more: it may not come back. */
  giveUp(agentId: string): void {
    this.#gone.giveUp(agentId);
    this.#returning.forget(agentId);
    this.#linger();
    this.#changes.notify();
  }

  /** Waits after a start until the agents are back that were there before, but not long. Never rejects. */
  async settled(): Promise<void> {
    if (!this.#returning.isStarting) return;
    const { allBack } = this.#returning;
    await withDeadline(SETTLE_MS, null, (signal) => orAborted(allBack, signal)).catch(() => {});
  }

  async comesBack(id: string, signal: AbortSignal): Promise<boolean> {
    const isExpected = () => this.#gone.find(id) !== null || this.#returning.isExpected(id);
    return await this.#awaitApp(id, isExpected, signal);
  }

  /** Waits for an app that somebody with these roles asks for by its name, and says no word on what they may not use. */
  async awaitFor(name: string, roles: readonly PersonalRole[], signal: AbortSignal): Promise<void> {
    const id = appId(this.#cluster, name);
    await this.#awaitApp(id, () => {
      const app = this.#gone.find(id);
      if (app === null) return this.#returning.isStarting;
      return decideAccess(roles, app.labels).kind === "allowed";
    }, signal);
  }

  /** Those of which no agent is connected, with when one was. */
  awayFor(roles: readonly PersonalRole[]): AwayApp[] {
    return this.#gone.awayFor(roles);
  }

  /** The agents that are connected, each once. */
  connectedIds(): ReadonlySet<string> {
    return new Set([...this.#hellos.values()].map(({ agent }) => agent.agentId));
  }

  #linger(): void {
    this.#lingering = new Set(this.#gone.listed().map(({ name }) => name));
  }

  /** @returns Whether it is served. */
  async #awaitApp(id: string, isExpected: () => boolean, signal: AbortSignal): Promise<boolean> {
    const isServed = () => this.#byId.has(id);
    if (isServed() || !isExpected()) return isServed();
    await withDeadline(RETURN_MS, signal, async (signal) => {
      while (!signal.aborted && !isServed() && isExpected()) {
        await this.#changes.after(this.#changes.revision(), signal);
      }
    });
    return isServed();
  }

  /** @param answered Who is told by the answer to its hello. */
  #rebuild(answered?: symbol): void {
    const served = new Map<string, Served>();
    const before = this.#refusals;
    const refusals = new Map<symbol, Refused>();
    const hellos = [...this.#hellos.values()];
    const newest = new Map(hellos.map((hello) => [hello.agent.agentId, hello]));
    for (const hello of hellos) {
      const { agent, instance } = hello;
      const handle = { agentId: agent.agentId, name: agent.name, instance };
      const certified = new Set(agent.apps);
      const refused = this.#standing(hello, newest.get(agent.agentId)).flatMap((offered) => {
        const refusal = this.#refusalOf(agent, certified, offered);
        if (refusal !== null) return [{ app: offered.name, ...refusal }];
        return this.#add(served, offered, agent, handle)
          .map((one) => ({ app: offered.name, ...one }));
      });
      refusals.set(instance, refused);
    }
    this.#byId = new Map(
      [...served].map(([id, { app, agents, tcpPorts }]) => [id, { app, agents, tcpPorts }]),
    );
    for (const id of served.keys()) this.#gone.served(id);
    this.#refusals = refusals;
    this.#linger();
    this.#changes.notify();
    for (const [instance, refused] of refusals) {
      const known = before.get(instance);
      if (known === undefined || instance === answered) continue;
      if (JSON.stringify(known) === JSON.stringify(refused)) continue;
      this.#hellos.get(instance)?.onRefused?.(refused);
    }
  }

  /** What an agent says on one of its channels, but for what it says otherwise on a newer one. */
  #standing({ apps, instance }: Hello, newest: Hello | undefined): readonly AgentApp[] {
    if (newest === undefined || newest.instance === instance) return apps;
    const specs = new Map(newest.apps.map((app) => [app.name, this.#offerOf(app).spec]));
    return apps.filter((app) => specs.get(app.name) === this.#offerOf(app).spec);
  }

  /** @returns What is refused of it: all of it, or some of its addresses. */
  #add(
    served: Map<string, Served>,
    offered: AgentApp,
    agent: AgentIdentity,
    handle: AgentHandle,
  ): readonly Omit<OfferRefusal, "app">[] {
    const { id, spec, tcpPorts } = this.#offerOf(offered);
    const { addresses, refused } = this.#addrs.judge(offered, agent);
    const [first] = refused;
    if (addresses.length === 0) {
      if (first === undefined) return [{ code: "app-invalid", reason: "it has no public address" }];
      const more = refused.length === 1 ? "" : `; nor can it have its other ${refused.length - 1}`;
      return [{ code: first.code, reason: `${first.reason}${more}` }];
    }
    const held = served.get(id);
    if (held !== undefined) {
      if (held.spec !== spec) {
        return [{ code: "app-differs", reason: "another agent describes this app differently" }];
      }
      if (held.agents.some(({ instance }) => instance === handle.instance)) {
        return [{ code: "app-invalid", reason: "it is named twice" }];
      }
      held.agents.push(handle);
      return refused;
    }
    if (served.size >= MAX_APPS) {
      return [{ code: "apps-too-many", reason: "the cluster serves too many apps" }];
    }
    const app = {
      ...toApp(offered),
      cluster: this.#cluster,
      app_id: id,
      public_addrs: [...addresses],
    };
    served.set(id, { app, spec, tcpPorts, agents: [handle] });
    return refused;
  }

  /** @returns Why an agent may not serve an app whatever addresses it has, or `null`. */
  #refusalOf(
    agent: AgentIdentity,
    certified: ReadonlySet<string>,
    { name, labels }: AgentApp,
  ): Omit<OfferRefusal, "app"> | null {
    if (!APP_NAME.test(name)) {
      return { code: "app-invalid", reason: "its name is not a DNS label" };
    }
    if (!certified.has(name)) {
      return { code: "token-out-of-scope", reason: "the agent's certificate is not for it" };
    }
    const { labels: asked } = agent.scope;
    const missing = Object.keys(asked).sort().find((key) => labels[key] !== asked[key]);
    if (missing !== undefined) {
      const reason = `the agent's token asks for another label "${missing}"`;
      return { code: "token-out-of-scope", reason };
    }
    if (!this.#holders.isTaken(name, agent.agentId, agent.scope)) return null;
    const reason = "agents with another token serve an app of that name";
    return { code: "app-taken", reason };
  }

  #offerOf(offered: AgentApp): Offer {
    const known = this.#offers.get(offered);
    if (known !== undefined) return known;
    const offer = {
      id: appId(this.#cluster, offered.name),
      spec: canonical(offered),
      tcpPorts: compilePorts(offered.tcp_ports),
    };
    this.#offers.set(offered, offer);
    return offer;
  }
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
