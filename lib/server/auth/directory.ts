import {
  checkResource,
  compileRole,
  type LockResource,
  type OidcResource,
  type Person,
  type PersonalRole,
  personalRole,
  type Resource,
  type Role,
  type RoleResource,
  type TrustedClusterResource,
  type VnetConfigResource,
} from "../../config/mod.ts";
import { isLocked, type Lock } from "../../identity/mod.ts";
import type { Store, StoredResource, StoredTrust } from "../store/mod.ts";
import type { Changes } from "./changes.ts";
import type { GuestBook } from "./oidc/guests.ts";

/** Everything administrators have said, as of one moment. */
interface Snapshot {
  readonly roles: ReadonlyMap<string, Role>;
  readonly roleResources: readonly RoleResource[];
  /** The names of each user's roles. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** What is said of each user. */
  readonly claims: ReadonlyMap<string, Person["claims"]>;
  readonly locks: readonly Lock[];
  /** By name, sorted. */
  readonly connectors: ReadonlyMap<string, OidcResource>;
  readonly publicAddrs: ReadonlyMap<string, PublicAddrOwner>;
  readonly vnetConfig: VnetConfigResource;
  /** By cluster, sorted. */
  readonly trusts: ReadonlyMap<string, StoredTrust>;
  readonly trustedClusters: readonly TrustedClusterResource[];
}

/** A root whose users are let in, and on what terms. */
export interface TrustedRoot {
  readonly trust: StoredTrust;
  readonly resource: TrustedClusterResource;
}

/** Which app a public address is for. */
export interface PublicAddrOwner {
  readonly app: string;
  /** The id of the agent that took it on first use; `null` where an administrator gave it. */
  readonly agentId: string | null;
}

interface DirectoryParts {
  readonly store: Store;
  readonly changes: Changes;
  readonly guests: GuestBook;
}

/** Users, roles, locks, public addresses and the network's configuration, held ready to decide with. */
export class Directory {
  readonly #store: Store;
  readonly #changes: Changes;
  #snapshot: Snapshot;
  /** How many readings were begun, and which of them is held. */
  #asked = 0;
  #taken = 0;

  /** Users who come from an identity provider. */
  readonly guests: GuestBook;

  private constructor(
    { store, changes, guests }: DirectoryParts,
    snapshot: Snapshot,
  ) {
    this.#store = store;
    this.#changes = changes;
    this.guests = guests;
    this.#snapshot = snapshot;
  }

  /** Reads the store, which must hold a `vnet_config`. */
  static async load(parts: DirectoryParts): Promise<Directory> {
    return new Directory(parts, await read(parts.store));
  }

  /** Reads the store again and wakes everybody who waits for a change. */
  async reload(): Promise<void> {
    const asked = ++this.#asked;
    const snapshot = await read(this.#store);
    // One that was begun later has seen at least as much
    if (asked > this.#taken) {
      this.#taken = asked;
      this.#snapshot = snapshot;
    }
    this.#changes.notify();
  }

  get vnetConfig(): VnetConfigResource {
    return this.#snapshot.vnetConfig;
  }

  get roleResources(): readonly RoleResource[] {
    return this.#snapshot.roleResources;
  }

  /** Identity providers whose users may log in. */
  get connectors(): ReadonlyMap<string, OidcResource> {
    return this.#snapshot.connectors;
  }

  /** The cluster's own. */
  get users(): ReadonlyMap<string, readonly string[]> {
    return this.#snapshot.users;
  }

  get roles(): ReadonlyMap<string, Role> {
    return this.#snapshot.roles;
  }

  /** By address. */
  get publicAddrs(): ReadonlyMap<string, PublicAddrOwner> {
    return this.#snapshot.publicAddrs;
  }

  /** Other clusters, by name. */
  get trusts(): ReadonlyMap<string, StoredTrust> {
    return this.#snapshot.trusts;
  }

  get trustedClusters(): readonly TrustedClusterResource[] {
    return this.#snapshot.trustedClusters;
  }

  /** The roots that are enabled. */
  roots(): readonly TrustedRoot[] {
    const { trusts, trustedClusters } = this.#snapshot;
    return trustedClusters.flatMap((resource) => {
      const trust = trusts.get(resource.metadata.name);
      return trust?.side === "root" && resource.spec.enabled ? [{ trust, resource }] : [];
    });
  }

  /** Locks in force, whether they end or not. */
  locks(nowMs: number): readonly Lock[] {
    return this.#snapshot.locks.filter(({ expiresMs }) => expiresMs === null || nowMs < expiresMs);
  }

  /**
   * Finds the roles of a user.
   *
   * @returns `null` if there is no such user, or one of the roles is gone: it might have denied something.
   */
  rolesOf(user: string): readonly PersonalRole[] | null {
    const names = this.roleNamesOf(user);
    return names === null ? null : this.rolesNamed(names, { user, claims: this.claimsOf(user) });
  }

  /** Finds roles by their names, as they are for a person. @returns `null` if one is gone. */
  rolesNamed(names: readonly string[], person: Person): readonly PersonalRole[] | null {
    const roles = names.map((name) => this.#snapshot.roles.get(name));
    if (roles.includes(undefined)) return null;
    return (roles as Role[]).map((role) => personalRole(role, person));
  }

  /** The names of a user's roles; `null` if there is no such user. One of the cluster's own is never a guest. */
  roleNamesOf(user: string): readonly string[] | null {
    return this.#snapshot.users.get(user) ?? this.guests.of(user)?.roles ?? null;
  }

  /** What is said of a user, for roles that go by it. */
  claimsOf(user: string): Person["claims"] {
    if (this.#snapshot.users.has(user)) return this.#snapshot.claims.get(user) ?? {};
    return this.guests.of(user)?.claims ?? {};
  }

  /** What is the same for users who are answered the same: their roles, where these go by a person as filled. */
  sameAs(user: string): string {
    const roles = [...this.rolesOf(user) ?? []].sort((a, b) => a.name < b.name ? -1 : 1);
    return JSON.stringify(roles.map((role) => {
      const { name, allowApps, denyApps } = role;
      return this.#snapshot.roles.get(name) === role ? name : [name, allowApps, denyApps];
    }));
  }

  /** Whether a lock keeps out a user, one of the roles, or one of the sessions. */
  isUserLocked(
    user: string,
    sessionIds: readonly string[],
    nowMs: number,
    roles: readonly string[] = this.roleNamesOf(user) ?? [],
  ): boolean {
    return isLocked(this.#snapshot.locks, { user, roles, sessionIds, agentId: null }, nowMs);
  }

  isAgentLocked(agentId: string, nowMs: number): boolean {
    return this.locks(nowMs).some(({ target }) => "agent" in target && target.agent === agentId);
  }

  /** Tells who is locked out which lock it is, and until when. */
  lockWords(
    user: string,
    sessionIds: readonly string[],
    nowMs: number,
    roles: readonly string[] = this.roleNamesOf(user) ?? [],
  ): string {
    const who = { user, roles, sessionIds, agentId: null };
    const [lock] = this.locks(nowMs).filter((one) => isLocked([one], who, nowMs));
    const what = lock === undefined || "user" in lock.target
      ? "You are locked out"
      : "role" in lock.target
      ? `Everybody with the role "${lock.target.role}" is locked out`
      : "This login is locked out";
    const expiresMs = lock?.expiresMs ?? null;
    return expiresMs === null ? what : `${what} until ${new Date(expiresMs).toISOString()}`;
  }
}

/** Reads a resource as it was kept, with its revision. */
export function toResource({ kind, name, body, revision }: StoredResource): Resource {
  const resource = checkResource(JSON.parse(body), `${kind}/${name}`);
  return { ...resource, metadata: { ...resource.metadata, revision } } as Resource;
}

async function read(store: Store): Promise<Snapshot> {
  const resources = (await store.resources.list(null)).map(toResource);
  const ofKind = <Kind extends Resource["kind"]>(kind: Kind) =>
    resources.filter((one): one is Extract<Resource, { kind: Kind }> => one.kind === kind);
  const [vnetConfig] = ofKind("vnet_config");
  if (vnetConfig === undefined) throw new TypeError("The store holds no vnet_config");
  const roleResources = ofKind("role");
  const users = ofKind("user");
  return {
    vnetConfig,
    roleResources,
    roles: new Map(
      roleResources.map(({ metadata, spec }) => [metadata.name, compileRole(metadata.name, spec)]),
    ),
    users: new Map(users.map(({ metadata, spec }) => [metadata.name, spec.roles])),
    claims: new Map(
      users.flatMap(({ metadata, spec }) =>
        spec.claims === undefined ? [] : [[metadata.name, spec.claims] as const]
      ),
    ),
    locks: ofKind("lock").map(toLock),
    trusts: new Map((await store.trusts.list()).map((trust) => [trust.cluster, trust])),
    trustedClusters: ofKind("trusted_cluster"),
    connectors: new Map(ofKind("oidc").map((one) => [one.metadata.name, one])),
    publicAddrs: new Map(
      ofKind("public_addr").map(({ metadata: { name }, spec }) => [
        name,
        { app: spec.app, agentId: spec.agent ?? null },
      ]),
    ),
  };
}

function toLock({ spec }: LockResource): Lock {
  return {
    target: spec.target,
    expiresMs: spec.expires === undefined ? null : Date.parse(spec.expires),
  };
}
