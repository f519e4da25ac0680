import {
  type HostPort,
  matchesAddrPattern,
  parseAddrPattern,
  type PublicAddrResource,
} from "../../../config/mod.ts";
import { parseDomainName } from "../../../dns/mod.ts";
import type { AgentApp } from "../../../wire/mod.ts";
import type { Store } from "../../store/mod.ts";
import type { Directory } from "../directory.ts";
import type { AgentIdentity, AuditLog, OfferRefusal } from "../types.ts";

/** Addresses that one agent may have taken on first use, and all of them together. */
const MAX_TAKEN_EACH = 1024;
const MAX_TAKEN = 10_000;

/** Whose a public address is. */
export type AddrOwner =
  | { readonly kind: "proxy" }
  | { readonly kind: "app"; readonly app: string }
  | { readonly kind: "nobody" };

/** What becomes of the public addresses an agent offers. */
export interface AddrVerdict {
  /** Those the app has, in their one spelling. */
  readonly addresses: readonly string[];
  readonly refused: readonly Omit<OfferRefusal, "app">[];
}

/**
 * Whose the public addresses are, whoever is connected. An address belongs to one app for as long as the store says
 * so: an administrator gave it, or the first agent took it whose token allows that. Without either `<app>.<host of
 * a proxy>` is the app's of that name.
 */
export class PublicAddrs {
  readonly #proxies: readonly HostPort[];
  readonly #bound: () => Directory["publicAddrs"];

  constructor(proxies: readonly HostPort[], bound: () => Directory["publicAddrs"]) {
    this.#proxies = proxies;
    this.#bound = bound;
  }

  ownerOf(address: string): AddrOwner {
    if (this.#proxies.some(({ host }) => host === address)) return { kind: "proxy" };
    const bound = this.#bound().get(address);
    if (bound !== undefined) return { kind: "app", app: bound.app };
    const dot = address.indexOf(".");
    const isDefault = this.#proxies.some(({ host }) => host === address.slice(dot + 1));
    return isDefault ? { kind: "app", app: address.slice(0, dot) } : { kind: "nobody" };
  }

  /** Judges the addresses of an app: those it names, or else below each proxy's name. */
  judge(offered: AgentApp, agent: Pick<AgentIdentity, "scope">): AddrVerdict {
    const addresses: string[] = [];
    const refused: Omit<OfferRefusal, "app">[] = [];
    for (const { text, address } of this.#wanted(offered)) {
      const refusal = address === null
        ? { code: "app-invalid" as const, reason: `its public address "${text}" is not a DNS name` }
        : this.#refusalOf(offered.name, address, agent);
      if (refusal === null) addresses.push(address!);
      else refused.push({ publicAddr: address ?? text, ...refusal });
    }
    return { addresses: [...new Set(addresses)], refused };
  }

  /** The addresses an agent's app would take that nobody has and that the agent's token allows. */
  takeable(offered: AgentApp, agent: Pick<AgentIdentity, "scope">): string[] {
    return this.#wanted(offered).flatMap(({ address }) =>
      address !== null && this.ownerOf(address).kind === "nobody" && mayTake(agent, address)
        ? [address]
        : []
    );
  }

  #refusalOf(
    app: string,
    address: string,
    agent: Pick<AgentIdentity, "scope">,
  ): Pick<OfferRefusal, "code" | "reason"> | null {
    const owner = this.ownerOf(address);
    const its = `its public address ${address}`;
    switch (owner.kind) {
      case "proxy":
        return { code: "public-addr-taken", reason: `${its} is the proxy's own` };
      case "app":
        return owner.app === app
          ? null
          : { code: "public-addr-taken", reason: `${its} belongs to the app "${owner.app}"` };
      case "nobody":
        return mayTake(agent, address)
          ? { code: "public-addr-untaken", reason: `${its} was released, or too many are taken` }
          : {
            code: "public-addr-not-allowed",
            reason: `${its} is nobody's, and the agent's token does not allow to take it`,
          };
    }
  }

  #wanted({ name, public_addrs: named }: AgentApp) {
    if (named.length > 0) return named.map((text) => ({ text, address: readAddress(text) }));
    return this.#proxies.flatMap(({ host }) => {
      const text = `${name}.${host}`;
      const address = readName(text);
      // A proxy known by an IPv6 address has no names below it
      return address === null ? [] : [{ text, address }];
    });
  }
}

interface AddrTakingOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly audit: AuditLog;
  readonly addrs: PublicAddrs;
}

/** Binds what nobody has to the apps that use it first. */
export class AddrTaking {
  readonly #options: AddrTakingOptions;

  constructor(options: AddrTakingOptions) {
    this.#options = options;
  }

  /**
   * Binds the addresses of apps that an agent may serve. Each is recorded before it is kept.
   *
   * @throws {OsError} `audit-unwritable`, `store-unusable`: nothing was bound then.
   */
  async take(agent: AgentIdentity, apps: readonly AgentApp[]): Promise<void> {
    const { store, directory, audit, addrs } = this.#options;
    const wanted = new Map<string, string>();
    for (const app of apps) {
      for (const address of addrs.takeable(app, agent)) {
        if (!wanted.has(address)) wanted.set(address, app.name);
      }
    }
    const bound = [...directory.publicAddrs.values()];
    const own = bound.filter(({ agentId }) => agentId === agent.agentId).length;
    const room = Math.max(0, Math.min(MAX_TAKEN_EACH - own, MAX_TAKEN - bound.length));
    const takes = [...wanted].slice(0, room);
    if (takes.length === 0) return;
    await Promise.all(takes.map(([name, app]) =>
      audit.write({
        event: "public_addr.taken",
        name,
        app,
        agent_id: agent.agentId,
        agent: agent.name,
      })
    ));
    for (const [name, app] of takes) {
      // Whoever was faster keeps it
      await store.resources.put(
        { kind: "public_addr", name, body: JSON.stringify(bindingOf(name, app, agent)) },
        0,
      );
    }
    await directory.reload();
  }
}

function bindingOf(name: string, app: string, agent: AgentIdentity): PublicAddrResource {
  return {
    kind: "public_addr",
    version: "v1",
    metadata: { name, description: `taken on first use by the agent ${agent.name}` },
    spec: { app, agent: agent.agentId },
  };
}

function mayTake({ scope }: Pick<AgentIdentity, "scope">, address: string): boolean {
  return scope.publicAddrs?.some((pattern) => matchesAddrPattern(pattern, address)) ?? true;
}

/** A public address as a file may name it: a DNS name of two labels or more. */
function readAddress(text: string): string | null {
  const address = parseAddrPattern(text);
  return address === null || address.startsWith("*") ? null : address;
}

function readName(text: string): string | null {
  try {
    return parseDomainName(text);
  } catch {
    return null;
  }
}
