import {
  compilePorts,
  compileRole,
  type HostPort,
  isFilled,
  MAX_AGENT_APPS,
  parseHostPort,
  type PersonalRole,
  personalRole,
  type PortRange,
  type Role,
  stepsOf,
} from "../../../config/mod.ts";
import { type AccessDecision, decideAccess, mapRoles, userHere } from "../../../identity/mod.ts";
import {
  appId,
  type Authority,
  type CertificateVerdict,
  KnownCertificates,
  verifyCertificate,
} from "../../../io/mod.ts";
import { parseJson } from "../../../json.ts";
import { getLogger } from "../../../log.ts";
import {
  type AgentApp,
  type App,
  type ClusterConfig,
  LEAF_APPS_MAX_BYTES,
  type LeafFacts,
  LeafFactsSchema,
  MAX_APPS,
} from "../../../wire/mod.ts";
import { isBelow, parseDomainName } from "../../../dns/mod.ts";
import type { Store, StoredTrust } from "../../store/mod.ts";
import { hashToken } from "../agents/token_hash.ts";
import type { Changes } from "../changes.ts";
import type { Directory } from "../directory.ts";
import type { AgentDirectory, AgentHandle, AgentVerdict, Hello, OfferRefusal } from "../types.ts";
import { cutToRoom } from "./leaf_shares.ts";

const log = getLogger("server", "auth");

const HTTPS_PORT = 443;
const APP_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

type Allowed = Extract<AccessDecision, { readonly kind: "allowed" }>;

/** Zones of one leaf that clients are told of. */
const MAX_LEAF_ZONES = 64;
/** What it may take to hold all roles of a leaf against all its apps: steps of the roles, for each byte of labels. */
const MAX_WORK = 200_000_000;

/** An app of a leaf. */
export interface LeafApp {
  readonly app: App;
  /** What it takes where it is told of. */
  readonly bytes: number;
  readonly tcpPorts: readonly PortRange[] | null;
}

/** A user of this cluster, and the roles here. */
interface RootUser {
  readonly user: string;
  readonly roles: readonly PersonalRole[];
}

/** Who a user of this cluster is at a leaf. */
interface Guest {
  readonly roles: readonly PersonalRole[];
  /** Whether a role here that counts there asks for the second factor. */
  readonly isAsked: boolean;
}

/** A leaf that is connected. */
interface Connected {
  readonly handle: AgentHandle;
  readonly joinId: string | null;
  readonly facts: LeafFacts;
  readonly roles: ReadonlyMap<string, Role>;
  /** By name. */
  readonly apps: ReadonlyMap<string, LeafApp>;
  /** How many it has beyond these, for which there is no room. */
  readonly beyond: number;
  readonly sinceMs: number;
  /** The same as long as it says the same. */
  readonly digest: string;
  readonly refused: readonly OfferRefusal[];
}

interface LeavesOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly changes: Changes;
  readonly hostCa: Authority;
  readonly cluster: string;
  readonly proxies: readonly HostPort[];
  /** Whether an address is an app's of this cluster. */
  readonly isOwnAddr: (address: string) => boolean;
  /** A leaf is not connected any more; as agents are told apart. */
  readonly onGone: (agentId: string) => void;
  readonly nowMs: () => number;
}

/** What a leaf is called where agents are told apart by ids. */
export function leafId(leaf: string): string {
  return `leaf-${leaf}`;
}

/** The leaves of this cluster: which are connected, and what this cluster's users may reach there. */
export class Leaves implements AgentDirectory {
  readonly #options: LeavesOptions;
  readonly #certificates: KnownCertificates<Extract<CertificateVerdict, { readonly kind: "good" }>>;
  readonly #connected = new Map<string, Connected>();
  /** Of each, the apps that clients are told of, sorted by leaf and name. */
  #listed: ReadonlyMap<string, readonly LeafApp[]> = new Map();
  /** What those said last that have gone since the start. */
  readonly #last = new Map<string, Pick<Connected, "joinId" | "facts"> & { seenMs: number }>();

  constructor(options: LeavesOptions) {
    this.#options = options;
    const authorities = [options.hostCa.certificate];
    this.#certificates = new KnownCertificates((der, nowMs) =>
      verifyCertificate(der, { authorities, purpose: "client", nowMs })
    );
  }

  /** Judges a leaf's certificate: ours, in force, of this time that it joined, the leaf not removed and not locked. */
  verify(der: Uint8Array): AgentVerdict {
    const verdict = this.#certificates.judge(der, this.#options.nowMs());
    if (verdict.kind === "bad") return { ...verdict, kind: "refused" };
    const { principal, validity } = verdict.certificate;
    const { cluster, directory, nowMs } = this.#options;
    if (principal?.kind !== "leaf" || principal.cluster !== cluster) {
      const message = "The certificate is not a leaf's of this cluster";
      return { kind: "refused", code: "certificate-foreign", message };
    }
    const { name: joinId } = principal;
    const trust = [...directory.trusts.values()].find((one) =>
      one.side === "leaf" && one.joinId === joinId
    );
    if (trust === undefined) {
      return { kind: "refused", code: "agent-unknown", message: "The leaf was removed" };
    }
    const { cluster: name } = trust;
    if (directory.isAgentLocked(leafId(name), nowMs())) {
      const message = `The leaf "${name}" is locked out`;
      return { kind: "refused", code: "access-locked", message };
    }
    return {
      kind: "good",
      agent: {
        agentId: leafId(name),
        name,
        leaf: name,
        joinId,
        apps: [...this.#connected.get(name)?.apps.keys() ?? []],
        scope: { kinds: ["leaf"], apps: null, labels: {}, publicAddrs: null },
        certificateExpiresMs: validity.notAfterMs,
      },
    };
  }

  /** A leaf says what it is and has. What it says of other clusters' apps is not even read: all are its own. */
  async greet({ agent, apps, instance, leaf: said }: Hello): Promise<readonly OfferRefusal[]> {
    const { name } = agent;
    const known = this.#connected.get(name);
    const handle = { agentId: agent.agentId, name, instance };
    const digest = hashToken(JSON.stringify([said, apps]));
    if (known?.digest === digest && this.#stored(name) !== null) {
      this.#connected.set(name, { ...known, handle });
      return known.refused;
    }
    const facts = LeafFactsSchema.safeParse(said).data;
    if (facts === undefined || this.#stored(name) === null) {
      return [{ app: "*", code: "app-invalid", reason: "the leaf does not say what it is" }];
    }
    const { store, changes, nowMs } = this.#options;
    const refused: OfferRefusal[] = [];
    const roles = facts.roles.map((role) => compileRole(role.name, role.spec));
    const steps = roles.reduce((sum, role) => sum + stepsOf(role), 0);
    let bytes = 0;
    let work = 0;
    const fitting = apps.slice(0, MAX_AGENT_APPS).filter((app) => {
      bytes += bytesOf(app);
      work += bytesOf(app.labels) * steps;
      return bytes <= LEAF_APPS_MAX_BYTES && work <= MAX_WORK;
    });
    const beyond = apps.length - fitting.length;
    if (beyond > 0) {
      const reason = `${beyond} apps are more than a root takes of one leaf`;
      refused.push({ app: "*", code: "app-invalid", reason });
    }
    const taken = fitting.flatMap((app) => this.#appOf(name, app, refused));
    const published = this.#withoutOurs(facts, refused);
    this.#connected.delete(name);
    this.#connected.set(name, {
      handle,
      joinId: agent.joinId ?? null,
      facts: published,
      beyond,
      digest,
      refused,
      roles: new Map(roles.map((role) => [role.name, role])),
      apps: new Map(taken.map((one) => [one.app.name, one])),
      sinceMs: known?.sinceMs ?? nowMs(),
    });
    this.#list();
    await store.trusts.see(name, JSON.stringify(published), nowMs());
    changes.notify();
    return refused;
  }

  disconnected(instance: symbol): void {
    for (const [name, { handle, joinId, facts }] of this.#connected) {
      if (handle.instance !== instance) continue;
      const { store, changes, onGone, nowMs } = this.#options;
      this.#connected.delete(name);
      this.#last.set(name, { joinId, facts, seenMs: nowMs() });
      this.#list();
      onGone(handle.agentId);
      changes.notify();
      store.trusts.see(name, null, nowMs()).catch((error) => {
        log.error("Cannot note when a leaf was seen", { leaf: name, error: String(error) });
      });
    }
  }

  agentsFor(id: string): readonly AgentHandle[] {
    for (const { apps, handle } of this.#connected.values()) {
      for (const { app } of apps.values()) if (app.app_id === id) return [handle];
    }
    return [];
  }

  comesBack(): Promise<boolean> {
    return Promise.resolve(false);
  }

  /** @returns An app of a connected leaf. */
  find(leaf: string, app: string): LeafApp | null {
    return this.#connected.get(leaf)?.apps.get(app) ?? null;
  }

  /**
   * What the leaf will say to somebody with these roles here: it decides itself, once more. A role that denies apps
   * here denies those of leaves, too, and one that asks for the second factor does so there.
   */
  decide(leaf: string, app: string, user: RootUser): Allowed | null {
    const guest = this.#guestAt(leaf, user);
    const found = this.find(leaf, app);
    return guest === null || found === null ? null : decideFor(guest, user, found);
  }

  /** @returns `null` for somebody who is nobody there. */
  #guestAt(leaf: string, { user, roles }: RootUser): Guest | null {
    const connected = this.#connected.get(leaf);
    if (connected === undefined) return null;
    const { role_map: map } = connected.facts;
    const mapped = mapRoles(map, roles.map(({ name }) => name))
      .map((name) => connected.roles.get(name));
    if (mapped.length === 0 || mapped.includes(undefined)) return null;
    const { cluster } = this.#options;
    const person = { user: userHere({ name: user, cluster }, leaf), claims: {} };
    return {
      roles: (mapped as Role[]).map((role) => personalRole(role, person)),
      isAsked: roles.some((role) =>
        role.requireSessionMfa && mapRoles(map, [role.name]).length > 0
      ),
    };
  }

  /** Whether a role of a leaf goes by who somebody is. */
  get isPersonal(): boolean {
    return [...this.#connected.values()].some(({ roles }) =>
      [...roles.values()].some((role) => !isFilled(role))
    );
  }

  /**
   * The apps of all leaves that somebody with these roles here may use, sorted by leaf and name.
   *
   * @param own How many of the cluster's own they are told of, which leave room for the others.
   */
  appsFor(user: RootUser, own: number): App[] {
    return [...this.#listed].flatMap(([leaf, apps]) => {
      const guest = this.#guestAt(leaf, user);
      if (guest === null) return [];
      return apps.filter((app) => decideFor(guest, user, app) !== null).map(({ app }) => app);
    }).slice(0, Math.max(0, MAX_APPS - own));
  }

  /** Every leaf that has said what it is, as clients are told. */
  configs(): ClusterConfig["leaf_clusters"] {
    return [...this.#options.directory.trusts.values()].flatMap((trust) => {
      const connected = this.#connected.get(trust.cluster);
      const known = this.#last.get(trust.cluster);
      const last = known?.joinId === trust.joinId ? known : undefined;
      const facts = connected?.facts ?? last?.facts ?? factsOf(trust);
      if (trust.side !== "leaf" || facts === null) return [];
      const { proxy_public_addrs, vnet_config } = this.#withoutOurs(facts, []);
      const leftOut = this.#leftOut(trust.cluster);
      const sinceMs = connected?.sinceMs ?? last?.seenMs ?? trust.seenMs ?? trust.joinedMs;
      return [{
        cluster_name: trust.cluster,
        proxy_public_addrs,
        vnet_config,
        trust: { host_cas: [...trust.hostCaPems] },
        online: connected !== undefined,
        ...(leftOut === 0 ? {} : { apps_left_out: leftOut }),
        since: new Date(sinceMs).toISOString(),
      }];
    });
  }

  /** Makes out anew which apps clients are told of, and says of which leaf it is not all. */
  #list(): void {
    const before = new Map([...this.#listed.keys()].map((leaf) => [leaf, this.#leftOut(leaf)]));
    const sorted = [...this.#connected].sort(([a], [b]) => a < b ? -1 : 1);
    this.#listed = cutToRoom(
      new Map(sorted.map(([leaf, { apps }]) => [
        leaf,
        [...apps.values()].sort((a, b) => a.app.name < b.app.name ? -1 : 1),
      ])),
    );
    for (const leaf of this.#listed.keys()) {
      const leftOut = this.#leftOut(leaf);
      if (leftOut === (before.get(leaf) ?? 0)) continue;
      log.warning("Clients are not told of all apps of a leaf: there is no room", {
        leaf,
        leftOut,
      });
    }
  }

  #leftOut(leaf: string): number {
    const connected = this.#connected.get(leaf);
    if (connected === undefined) return 0;
    return connected.beyond + connected.apps.size - (this.#listed.get(leaf)?.length ?? 0);
  }

  /** A leaf's facts without what is this cluster's own: where that is and what it answers for is not a leaf's to say. */
  #withoutOurs(facts: LeafFacts, refused: OfferRefusal[]): LeafFacts {
    const isTheirs = (name: string | null, said: string, what: string) => {
      const isOurs = name === null || (!isOtherAddress(name) && this.#isOurs(name));
      const reason = `its ${what} ${said} is the root's`;
      if (isOurs) refused.push({ app: "*", publicAddr: said, code: "app-invalid", reason });
      return !isOurs;
    };
    const { proxies } = this.#options;
    const isOtherAddress = (name: string) =>
      (/^[\d.]+$/.test(name) || name.includes(":")) && !proxies.some(({ host }) => host === name);
    const { proxy_public_addrs, vnet_config } = facts;
    return {
      ...facts,
      proxy_public_addrs: proxy_public_addrs.filter((address) =>
        isTheirs(parseHostPort(address, HTTPS_PORT)?.host ?? null, address, "proxy")
      ),
      vnet_config: {
        ...vnet_config,
        custom_dns_zones: vnet_config.custom_dns_zones
          .filter(({ suffix }) => isTheirs(suffix, suffix, "zone")).slice(0, MAX_LEAF_ZONES),
      },
    };
  }

  #stored(name: string): StoredTrust | null {
    const trust = this.#options.directory.trusts.get(name);
    return trust?.side === "leaf" ? trust : null;
  }

  #appOf(leaf: string, offered: AgentApp, refused: OfferRefusal[]): LeafApp[] {
    const { name, public_addrs: addrs, labels, description, tcp_ports: ports } = offered;
    const refuse = (reason: string, publicAddr?: string) =>
      void refused.push({
        app: name,
        code: "app-invalid",
        reason,
        ...(publicAddr === undefined ? {} : { publicAddr }),
      });
    if (!APP_NAME.test(name)) return refuse("its name is not a DNS label"), [];
    const good = addrs.filter((addr) => {
      const isTaken = this.#isOurs(addr);
      if (isTaken) refuse(`its public address ${addr} is the root's`, addr);
      return !isTaken;
    });
    if (good.length === 0) return [];
    const tcpPorts = compilePorts(ports);
    const app = {
      name,
      cluster: leaf,
      app_id: appId(leaf, name),
      public_addrs: good,
      labels,
      ...(description === undefined ? {} : { description }),
      ...(ports === undefined || ports.length === 0 ? {} : { tcp_ports: ports }),
    };
    return [{ tcpPorts, app, bytes: bytesOf(app) }];
  }

  /** Whether a name is this cluster's own: at or below a proxy of its, or an app's. */
  #isOurs(text: string): boolean {
    if (this.#options.proxies.some(({ host }) => host === text)) return true;
    try {
      const name = parseDomainName(text);
      return this.#options.isOwnAddr(name) ||
        this.#options.proxies.some(({ host }) => name === host || isBelow(name, host));
    } catch {
      return true; // No name at all
    }
  }
}

function decideFor(
  guest: Guest,
  { roles }: RootUser,
  { app: { labels } }: LeafApp,
): Allowed | null {
  const there = decideAccess(guest.roles, labels);
  const here = decideAccess(roles, labels);
  if (there.kind === "denied" || (here.kind === "denied" && here.role !== null)) return null;
  return { ...there, requireSessionMfa: there.requireSessionMfa || guest.isAsked };
}

function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

function factsOf({ facts }: StoredTrust): LeafFacts | null {
  return facts === null ? null : LeafFactsSchema.safeParse(parseJson(facts)).data ?? null;
}
