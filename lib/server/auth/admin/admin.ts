import {
  checkResource,
  formatHostPort,
  type HostPort,
  type LockResource,
  type LockTarget,
  type Resource,
  type SecondFactor,
} from "../../../config/mod.ts";
import { isPrincipalName } from "../../../identity/mod.ts";
import { randomHex, randomPassword } from "../../../io/mod.ts";
import { VERSION } from "../../../version.ts";
import type { Store } from "../../store/mod.ts";
import type { AdminArguments, AdminRequest, AdminResponse } from "./shapes.ts";
import type { Agents } from "../agents/agents.ts";
import { withSeq } from "../audit/audit.ts";
import type { Changes } from "../changes.ts";
import { type Directory, toResource } from "../directory.ts";
import { hashToken } from "../agents/join.ts";
import type { PasswordHasher } from "../login/password.ts";
import { refusal } from "../api/refusals.ts";
import { newTotpSecret, totpUri } from "../login/totp.ts";
import type { AuditEvent, AuditLog, ShutOut } from "../types.ts";

export interface AdminOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly agents: Agents;
  readonly audit: AuditLog;
  readonly hasher: PasswordHasher;
  readonly cluster: string;
  readonly caPin: string;
  readonly proxies: readonly HostPort[];
  readonly secondFactor: SecondFactor;
  readonly now: () => number;
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Changes of the audit log. */
  readonly events: Changes;
  /** Somebody is kept out from here on. */
  readonly onLock: (target: LockTarget, reason: ShutOut) => void;
  /** Users, roles or locks are others from here on. */
  readonly onReview: () => void;
}

/**
 * What administrators do. Whoever holds this object may do everything: it is reached in this process, or through a
 * socket that only the server's own user may open.
 */
export class Admin {
  readonly #options: AdminOptions;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  async status(): Promise<AdminResponse<"status">> {
    const { store, directory, agents, cluster, caPin, proxies, secondFactor, now } = this.#options;
    return {
      cluster_name: cluster,
      server_version: VERSION,
      ca_pin: caPin,
      proxy_public_addrs: proxies.map(formatHostPort),
      second_factor: secondFactor,
      users: directory.users.size,
      sessions: await store.sessions.countLive(now()),
      agents_connected: agents.connectedIds().size,
      apps: agents.apps().length,
      locks: directory.locks(now()).length,
    };
  }

  /** @throws {AuthError} `resource-exists`, `resource-invalid`, `password-weak`. */
  async addUser(request: AdminRequest<"users.add">): Promise<AdminResponse<"users.add">> {
    const { name, roles, second_factor } = request;
    const { hasher, secondFactor } = this.#options;
    // The password is hashed first, so that a weak one leaves nothing behind
    const password = request.password ?? randomPassword();
    const passwordHash = await hasher.hash(password);
    await this.putResource(
      { kind: "user", version: "v1", metadata: { name }, spec: { roles: [...roles] } },
      { replace: false },
    );
    const totpSecret = second_factor ?? secondFactor === "otp" ? newTotpSecret() : null;
    await this.#options.store.credentials.put({ user: name, passwordHash, totpSecret });
    return this.#secrets(name, request.password === undefined ? password : null, totpSecret);
  }

  async listUsers(): Promise<AdminResponse<"users.list">> {
    const { directory, store } = this.#options;
    const names = [...directory.users.keys()].sort();
    const users = await Promise.all(names.map(async (name) => {
      const credential = await store.credentials.get(name);
      return {
        name,
        roles: [...directory.users.get(name) ?? []],
        can_log_in: credential !== null,
        has_second_factor: credential?.totpSecret != null,
      };
    }));
    return { users };
  }

  /** Gives a user another password, ends the logins there are, and lifts lockouts. @throws {AuthError} `not-found`. */
  async resetUser(request: AdminRequest<"users.reset">): Promise<AdminResponse<"users.reset">> {
    const { store, directory, hasher, secondFactor, audit } = this.#options;
    const { name, second_factor } = request;
    if (!directory.users.has(name)) throw notFound("user", name);
    const password = request.password ?? randomPassword();
    const passwordHash = await hasher.hash(password);
    const held = await store.credentials.get(name);
    const enroll = second_factor ?? (secondFactor === "otp" || held?.totpSecret != null);
    const totpSecret = enroll ? newTotpSecret() : null;
    await audit.write({ event: "user.reset", user: name });
    await store.credentials.put({ user: name, passwordHash, totpSecret });
    await store.failures.clearUser(name);
    await this.#endUser(name);
    return this.#secrets(name, request.password === undefined ? password : null, totpSecret);
  }

  /** Removes a user, the password, and every login. @throws {AuthError} `not-found`. */
  removeUser(name: string): Promise<void> {
    return this.removeResource("user", name);
  }

  /** @returns The token, which is kept nowhere. */
  async addToken(request: AdminArguments<"tokens.add">): Promise<AdminResponse<"tokens.add">> {
    const { store, audit, caPin, now } = this.#options;
    const token = randomHex(16);
    const id = randomHex(4);
    const expiresMs = now() + request.ttl_seconds * 1000;
    const scope = { kinds: [request.kind], apps: request.apps ?? null, labels: request.labels };
    await audit.write({ event: "token.created", name: id });
    await store.tokens.add({ id, scope, expiresMs, usesLeft: request.uses }, hashToken(token));
    return { id, token, expires: new Date(expiresMs).toISOString(), ca_pin: caPin };
  }

  async listTokens(): Promise<AdminResponse<"tokens.list">> {
    const { store, now } = this.#options;
    const tokens = await store.tokens.list();
    return {
      tokens: tokens.filter(({ expiresMs, usesLeft }) => expiresMs > now() && usesLeft > 0).map((
        { id, scope, expiresMs, usesLeft },
      ) => ({
        id,
        kinds: [...scope.kinds],
        ...(scope.apps === null ? {} : { apps: [...scope.apps] }),
        labels: { ...scope.labels },
        expires: new Date(expiresMs).toISOString(),
        uses_left: usesLeft,
      })),
    };
  }

  /** @throws {AuthError} `not-found`. */
  async removeToken(id: string): Promise<void> {
    const { store, audit } = this.#options;
    if (!(await store.tokens.list()).some((token) => token.id === id)) throw notFound("token", id);
    await audit.write({ event: "token.removed", name: id });
    await store.tokens.remove(id);
  }

  async listAgents(): Promise<AdminResponse<"agents.list">> {
    const { store, agents } = this.#options;
    const connected = agents.connectedIds();
    const stored = await store.agents.list();
    return {
      agents: stored.map(({ id, name, apps, joinedMs, renewedMs }) => ({
        id,
        name,
        apps: [...apps],
        connected: connected.has(id),
        joined: new Date(joinedMs).toISOString(),
        renewed: new Date(renewedMs).toISOString(),
      })),
    };
  }

  /** Removes an agent: its certificate is worth nothing from here on. @throws {AuthError} `not-found`. */
  async removeAgent(id: string): Promise<void> {
    const { store, audit, onLock } = this.#options;
    if (await store.agents.get(id) === null) throw notFound("agent", id);
    await audit.write({ event: "agent.removed", agent_id: id });
    await store.agents.remove(id);
    onLock({ agent: id }, "agent-unknown");
  }

  listApps(): AdminResponse<"apps.list"> {
    const apps = this.#options.agents.apps();
    return {
      apps: apps.map(({ app, agents }) => ({ ...app, agents: agents.map(({ name }) => name) })),
    };
  }

  /**
   * Creates a resource, or with `replace` puts it in the place of one. A `revision` in its metadata must be the one
   * that is there.
   *
   * @throws {AuthError} `resource-exists`, `resource-changed`, `resource-invalid`.
   * @throws {ConfigError} With every mistake.
   */
  async putResource(value: unknown, how: { readonly replace: boolean }): Promise<Resource> {
    const { store, directory, audit } = this.#options;
    const resource = checkResource(value, "request");
    this.#checkReferences(resource);
    const { kind } = resource;
    const { revision: expected = null, ...metadata } = resource.metadata;
    // The one configuration there is always replaces the one before
    const wanted = expected ?? (how.replace || kind === "vnet_config" ? null : 0);
    const held = (await store.resources.get(kind, metadata.name))?.revision ?? 0;
    if (wanted !== null && wanted !== held) throw conflict(kind, metadata.name, expected);
    await audit.write({ event: "resource.put", kind, name: metadata.name, ...detailOf(resource) });
    const body = JSON.stringify({ ...resource, metadata });
    const revision = await store.resources.put({ kind, name: metadata.name, body }, wanted);
    if (revision === null) throw conflict(kind, metadata.name, expected);
    await directory.reload();
    if (resource.kind === "lock") this.#tellLock(resource);
    this.#options.onReview();
    return { ...resource, metadata: { ...metadata, revision } } as Resource;
  }

  /** @returns Those of a kind, sorted by name. @throws {AuthError} `not-found` if one is named and not there. */
  async getResources(
    { kind, name }: AdminArguments<"resources.get">,
  ): Promise<AdminResponse<"resources.get">> {
    const { resources } = this.#options.store;
    if (name === undefined) return { resources: (await resources.list(kind)).map(toResource) };
    const one = await resources.get(kind, name);
    if (one === null) throw notFound(kind, name);
    return { resources: [toResource(one)] };
  }

  /** @throws {AuthError} `not-found`, `resource-in-use`. */
  async removeResource(kind: Resource["kind"], name: string): Promise<void> {
    const { store, directory, audit } = this.#options;
    if (kind === "vnet_config") {
      throw refusal("resource-in-use", {
        message: "The cluster always has a vnet_config",
        hint: "Replace it instead",
      });
    }
    if (kind === "role") this.#refuseUsedRole(name);
    if (await store.resources.get(kind, name) === null) throw notFound(kind, name);
    await audit.write({ event: "resource.removed", kind, name });
    await store.resources.remove(kind, name);
    if (kind === "user") {
      await store.credentials.remove(name);
      await this.#endUser(name);
    }
    await directory.reload();
    this.#options.onReview();
  }

  /** Keeps somebody out, at once. */
  async lock(request: AdminArguments<"lock">): Promise<Resource> {
    const { target, message, ttl_seconds } = request;
    const expires = ttl_seconds === undefined
      ? {}
      : { expires: new Date(this.#options.now() + ttl_seconds * 1000).toISOString() };
    return await this.putResource({
      kind: "lock",
      version: "v1",
      metadata: { name: `lock-${randomHex(4)}` },
      spec: { target, ...(message === undefined ? {} : { message }), ...expires },
    }, { replace: false });
  }

  /** Reads the audit log; with `wait_seconds` waits for an event when there is none after `after`. */
  async readAudit(
    request: AdminArguments<"audit.read">,
    signal: AbortSignal,
  ): Promise<AdminResponse<"audit.read">> {
    const { store, events, delay } = this.#options;
    const { after, limit, wait_seconds } = request;
    if (after === undefined) {
      const newest = await store.events.newest(limit);
      return { events: newest.map(({ seq, body }) => ({ ...withSeq(seq, body) })) };
    }
    const revision = events.revision();
    let found = await store.events.after(after, limit);
    if (found.length === 0 && wait_seconds > 0) {
      using place = events.enter("admin");
      const answered = new AbortController();
      const until = AbortSignal.any([answered.signal, signal, place.closed]);
      const timeUp = delay(wait_seconds * 1000, until).then(() => answered.abort());
      await events.after(revision, until);
      answered.abort();
      await timeUp;
      found = await store.events.after(after, limit);
    }
    return { events: found.map(({ seq, body }) => ({ ...withSeq(seq, body) })) };
  }

  async #endUser(name: string): Promise<void> {
    const { store, now, onLock } = this.#options;
    const ended = await store.sessions.endUser(name, now());
    for (const session of ended) onLock({ session }, "session-ended");
  }

  #tellLock({ spec: { target, expires } }: LockResource): void {
    const { now, onLock } = this.#options;
    if (expires === undefined || now() < Date.parse(expires)) onLock(target, "access-locked");
  }

  #checkReferences(resource: Resource): void {
    const { directory } = this.#options;
    if (resource.kind !== "user") return;
    if (!isPrincipalName(resource.metadata.name)) throw notFound("user", resource.metadata.name);
    const missing = resource.spec.roles.find((role) => !directory.roles.has(role));
    if (missing === undefined) return;
    throw refusal("resource-invalid", {
      message: `There is no role "${missing}"`,
      hint: "See `vnet ctl get role`",
    });
  }

  #refuseUsedRole(role: string): void {
    const users = [...this.#options.directory.users].filter(([, roles]) => roles.includes(role));
    if (users.length === 0) return;
    throw refusal("resource-in-use", {
      message: `The role "${role}" is held by ${users.length} user${users.length === 1 ? "" : "s"}`,
      hint: "Take it from them first",
    });
  }

  #secrets(name: string, password: string | null, totpSecret: string | null) {
    const issuer = this.#options.cluster;
    return {
      name,
      ...(password === null ? {} : { password }),
      ...(totpSecret === null ? {} : { totp_uri: totpUri(totpSecret, { issuer, user: name }) }),
    };
  }
}

/** What the audit log says of a resource beside its name. */
function detailOf(resource: Resource): Pick<AuditEvent, "target" | "roles"> {
  switch (resource.kind) {
    case "lock":
      return { target: Object.entries(resource.spec.target).flat().join("/") };
    case "user":
      return { roles: resource.spec.roles };
    case "role":
    case "vnet_config":
      return {};
  }
}

function notFound(kind: string, name: string): Error {
  return refusal("not-found", { message: `There is no ${kind} "${name}"` });
}

function conflict(kind: string, name: string, expectedRevision: number | null): Error {
  if (expectedRevision === null) {
    return refusal("resource-exists", { message: `There is a ${kind} "${name}" already` });
  }
  return refusal("resource-changed", { message: `Somebody else changed ${kind} "${name}"` });
}
