import {
  checkResource,
  formatHostPort,
  type HostPort,
  type LockResource,
  type LockTarget,
  type Resource,
  type SecondFactor,
} from "../../../config/mod.ts";
import { randomHex, randomPassword } from "../../../io/mod.ts";
import { VERSION } from "../../../version.ts";
import type { Session, Store } from "../../store/mod.ts";
import { bodyOf, type Draft, keyOf, planPuts, type PutMistake, targetOf } from "./put_plan.ts";
import type {
  AdminArguments,
  AdminRequest,
  AdminResponse,
  WebCertificateStatus,
} from "./shapes.ts";
import type { Agents } from "../agents/agents.ts";
import type { OpenFlow } from "../agents/flow_reports.ts";
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
  readonly startedMs: number;
  readonly authorities: readonly { readonly kind: "user" | "host"; readonly notAfterMs: number }[];
  /** Connections to apps that are open, as far as agents have said. */
  readonly openFlows: () => readonly OpenFlow[];
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
  #webCertificate: () => WebCertificateStatus | null = () => null;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  /** What tells of the proxy's certificate, from the moment that there is one. */
  set webCertificate(tell: () => WebCertificateStatus | null) {
    this.#webCertificate = tell;
  }

  async status(): Promise<AdminResponse<"status">> {
    const { store, directory, agents, cluster, caPin, proxies, secondFactor, now } = this.#options;
    const { startedMs, authorities, openFlows } = this.#options;
    const webCertificate = this.#webCertificate();
    return {
      started: toTime(startedMs),
      flows: openFlows().length,
      agents: (await this.listAgents()).agents,
      ...(webCertificate === null ? {} : { web_certificate: webCertificate }),
      authorities: authorities.map(({ kind, notAfterMs }) => ({
        kind,
        not_after: toTime(notAfterMs),
      })),
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
    if (this.#options.directory.users.has(name)) {
      throw refusal("resource-exists", {
        message: `There is a user "${name}" already`,
        hint:
          `\`vnet ctl users reset ${name}\` gives another password, \`vnet ctl edit user/${name}\` changes the roles`,
      });
    }
    await this.putResource(
      { kind: "user", version: "v1", metadata: { name }, spec: { roles: [...roles] } },
      { replace: false },
    );
    const totpSecret = second_factor ?? secondFactor === "otp" ? newTotpSecret() : null;
    await this.#options.store.credentials.put({ user: name, passwordHash, totpSecret });
    return this.#secrets(name, request.password === undefined ? password : null, totpSecret);
  }

  async listUsers(): Promise<AdminResponse<"users.list">> {
    const { directory, store, now } = this.#options;
    const names = [...directory.users.keys()].sort();
    const logins = (await store.sessions.listLive(now())).filter(isLogin);
    const users = await Promise.all(names.map(async (name) => {
      const credential = await store.credentials.get(name);
      return {
        name,
        locked: directory.isUserLocked(name, [], now()),
        logins: logins.filter(({ user }) => user === name).length,
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
    const { store, agents, directory, now } = this.#options;
    const nowMs = now();
    const connected = agents.connectedIds();
    const stored = await store.agents.list();
    return {
      agents: stored.map(({ id, name, apps, joinedMs, renewedMs, seenMs }) => ({
        id,
        name,
        apps: [...apps],
        connected: connected.has(id),
        locked: directory.isAgentLocked(id, nowMs),
        joined: toTime(joinedMs),
        renewed: toTime(renewedMs),
        last_seen: toTime(connected.has(id) ? nowMs : Math.max(seenMs ?? 0, renewedMs)),
      })),
    };
  }

  /** Removes an agent, by its id or, if no other has it, its name: its certificate is worth nothing from here on. @throws {AuthError} `not-found`. */
  async removeAgent(idOrName: string): Promise<void> {
    const { store, audit, onLock } = this.#options;
    const id = await this.#agentId(idOrName);
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
   * that is there. One that is there as it is stays, and nothing is recorded.
   *
   * @throws {AuthError} `resource-exists`, `resource-changed`, `resource-invalid`.
   * @throws {ConfigError} With every mistake.
   */
  async putResource(
    value: unknown,
    how: { readonly replace: boolean; readonly anybody?: boolean },
  ): Promise<Resource> {
    const resource = checkResource(value, nameIn(value));
    const { kind, metadata: { name, revision } } = resource;
    const { drafts, mistakes: [mistake] } = await this.#plan([resource], how);
    if (mistake !== undefined) throw refusalOf(mistake);
    const isTaken = drafts[0]?.outcome === "unchanged" && !how.replace && revision === undefined;
    if (isTaken && kind !== "vnet_config") throw taken(kind, name);
    const [put] = await this.#write(drafts);
    return { ...resource, metadata: { ...resource.metadata, revision: put?.revision } } as Resource;
  }

  /** Puts resources, all of them or, with any mistake, none. What is there as it is stays, and is not recorded. */
  async applyResources(
    request: AdminArguments<"resources.apply">,
  ): Promise<AdminResponse<"resources.apply">> {
    const resources = request.resources.map((value) => checkResource(value, nameIn(value)));
    const { replace, also_named: alsoNamed } = request;
    // Who says --force means it, whomever a lock is for
    const how = { replace, anybody: replace, alsoNamed };
    const { drafts, mistakes } = await this.#plan(resources, how);
    if (mistakes.length > 0) {
      return { results: [], mistakes: mistakes.map((one) => ({ ...one, path: [...one.path] })) };
    }
    if (request.check_only) return { results: [], mistakes: [] };
    const written = await this.#write(drafts);
    return {
      mistakes: [],
      results: written.map((
        { draft: { resource: { kind, metadata: { name } }, outcome }, revision },
      ) => ({
        kind,
        name,
        outcome,
        revision,
      })),
    };
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

  /**
   * Keeps somebody out, at once.
   *
   * @throws {AuthError} `resource-invalid` when there is no such user, role, agent or session, unless forced.
   */
  async lock(
    request: Omit<AdminArguments<"lock">, "force"> & { readonly force?: boolean },
  ): Promise<AdminResponse<"lock">> {
    const { message, ttl_seconds, force = false } = request;
    const expires = ttl_seconds === undefined
      ? {}
      : { expires: toTime(this.#options.now() + ttl_seconds * 1000) };
    const target = await this.#wholeTarget(request.target);
    const cut = await this.#reach(target);
    const resource = await this.putResource({
      kind: "lock",
      version: "v1",
      metadata: { name: `lock-${randomHex(4)}` },
      spec: { target, ...(message === undefined ? {} : { message }), ...expires },
    }, { replace: false, anybody: force });
    return { resource, cut };
  }

  /** The logins in force, sorted by user and start. */
  async listSessions(): Promise<AdminResponse<"sessions.list">> {
    const { store, directory, openFlows, now } = this.#options;
    const nowMs = now();
    const live = await store.sessions.listLive(nowMs);
    const flows = openFlows();
    const sessions = live.filter(isLogin).map(({ id, user, startedMs, expiresMs, source }) => {
      const drawn = live.filter(({ parent }) => parent === id);
      const ids = new Set(drawn.map((session) => session.id));
      return {
        id,
        user,
        ...(startedMs === null ? {} : { started: toTime(startedMs) }),
        expires: toTime(expiresMs),
        ...(source === null ? {} : { source }),
        apps: [...new Set(drawn.flatMap(({ app }) => app?.name ?? []))].sort(),
        flows: flows.filter(({ sessionId }) => ids.has(sessionId)).length,
        locked: directory.isUserLocked(user, [id], nowMs),
      };
    });
    return { sessions };
  }

  /**
   * Ends a login and what was drawn from it.
   *
   * @param part The beginning of its id.
   * @throws {AuthError} `not-found` when no login, or more than one, begins so.
   */
  async removeSession(part: string): Promise<AdminResponse<"sessions.remove">> {
    const { store, audit, onLock, now } = this.#options;
    const login = await this.#findLogin(part);
    const { flows } = await this.#reach({ session: login.id });
    await audit.write({ event: "session.removed", user: login.user, session_id: login.id });
    for (const session of await store.sessions.end(login.id, now())) {
      onLock({ session }, "session-ended");
    }
    return { id: login.id, user: login.user, flows };
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

  async #plan(
    resources: readonly Resource[],
    how: { readonly replace: boolean; readonly anybody?: boolean } & {
      readonly alsoNamed?: readonly { readonly kind: string; readonly name: string }[];
    },
  ): Promise<ReturnType<typeof planPuts>> {
    const { store, now } = this.#options;
    const held = await store.resources.list(null);
    return planPuts(resources, {
      resources: new Map(held.map((one) => [keyOf(one.kind, one.name), one])),
      agentIds: (await store.agents.list()).map(({ id }) => id),
      sessionIds: (await store.sessions.listLive(now())).map(({ id }) => id),
    }, { anybody: false, alsoNamed: [], ...how });
  }

  /** Records and writes what differs, all or nothing. */
  async #write(
    drafts: readonly Draft[],
  ): Promise<readonly { readonly draft: Draft; readonly revision: number }[]> {
    const { store, directory, audit, onReview } = this.#options;
    const changed = drafts.filter(({ outcome }) => outcome !== "unchanged");
    await Promise.all(changed.map(({ resource }) =>
      audit.write({
        event: "resource.put",
        kind: resource.kind,
        name: resource.metadata.name,
        ...detailOf(resource),
      })
    ));
    const revisions = await store.resources.putAll(
      changed.map(({ resource, expectedRevision }) => ({
        resource: {
          kind: resource.kind,
          name: resource.metadata.name,
          body: bodyOf(resource),
        },
        expectedRevision,
      })),
    );
    if (revisions === null) {
      throw refusal("resource-changed", {
        message: "Somebody else changed one of the resources at this very moment",
        hint: "Repeat it",
      });
    }
    if (changed.length > 0) {
      await directory.reload();
      for (const { resource } of changed) if (resource.kind === "lock") this.#tellLock(resource);
      onReview();
    }
    const written = new Map(changed.map((draft, i) => [draft, revisions[i]!]));
    return drafts.map((draft) => ({
      draft,
      revision: written.get(draft) ?? draft.expectedRevision,
    }));
  }

  /** What a lock would cut. */
  async #reach(target: LockTarget): Promise<{ readonly logins: number; readonly flows: number }> {
    const { store, directory, openFlows, now } = this.#options;
    const live = await store.sessions.listLive(now());
    const [kind, name] = targetOf(target);
    const isMeant = ({ id, user, parent }: Session) => {
      if (kind === "user") return user === name;
      if (kind === "role") return directory.users.get(user)?.includes(name) ?? false;
      return kind === "session" && (id === name || parent === name);
    };
    const meant = live.filter(isMeant);
    const ids = new Set(meant.map(({ id }) => id));
    return {
      logins: meant.filter(isLogin).length,
      flows:
        openFlows().filter(({ agentId, sessionId }) =>
          kind === "agent" ? agentId === name : ids.has(sessionId)
        ).length,
    };
  }

  /** An agent by its id where its name was given, a session by its whole id. */
  async #wholeTarget(target: AdminArguments<"lock">["target"]): Promise<LockTarget> {
    if ("session" in target) {
      if (target.session.length === WHOLE_ID) return target;
      return { session: (await this.#findLogin(target.session)).id };
    }
    return "agent" in target ? { agent: await this.#agentId(target.agent) } : target;
  }

  /** @returns The id of the agent with this name, or else the text as it is. */
  async #agentId(idOrName: string): Promise<string> {
    const named = (await this.#options.store.agents.list()).filter(({ name }) => name === idOrName);
    const [first] = named;
    if (first === undefined) return idOrName;
    if (named.length === 1) return first.id;
    throw refusal("resource-invalid", {
      message: `There are ${named.length} agents called "${idOrName}"`,
      hint: "Name one by its id; `vnet ctl agents ls` shows them",
    });
  }

  async #findLogin(part: string): Promise<Session> {
    const { store, now } = this.#options;
    const live = await store.sessions.listLive(now());
    const [first, ...more] = live.filter((one) => isLogin(one) && one.id.startsWith(part));
    const hint = "`vnet ctl sessions ls` shows the logins";
    if (first === undefined) {
      throw refusal("not-found", {
        message: `There is no login whose id begins with "${part}"`,
        hint,
      });
    }
    if (more.length === 0) return first;
    throw refusal("not-found", {
      message: `There are ${more.length + 1} logins whose ids begin with "${part}"`,
      hint: "Write more of the id",
    });
  }

  #refuseUsedRole(role: string): void {
    const users = [...this.#options.directory.users].filter(([, roles]) => roles.includes(role));
    if (users.length === 0) return;
    const names = users.map(([name]) => name).sort();
    const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : "";
    throw refusal("resource-in-use", {
      message: `The role "${role}" is held by ${names.slice(0, SHOWN_NAMES).join(", ")}${more}`,
      hint: `Take it from them first: \`vnet ctl edit user/${names[0]}\``,
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
  const list = kind === "token" || kind === "agent" ? `${kind}s ls` : `get ${kind}s`;
  return refusal("not-found", {
    message: `There is no ${kind} "${name}"`,
    hint: `\`vnet ctl ${list}\` shows what there is`,
  });
}

/** Names told of those that stand in the way. */
const SHOWN_NAMES = 5;

function taken(kind: string, name: string): Error {
  return refusal("resource-exists", {
    message: `There is a ${kind} "${name}" already`,
    hint: "`vnet ctl create --force FILE` replaces what is there",
  });
}

function refusalOf({ code, path, message }: PutMistake): Error {
  const hints = {
    "resource-exists": "`vnet ctl create --force FILE` replaces what is there",
    "resource-changed": "Get it again and repeat your change",
    "resource-invalid": path[1] === "target"
      ? "Check the name; --force locks it all the same, for whoever comes with it"
      : "`vnet ctl get roles` shows the roles",
  };
  return refusal(code, { message, hint: hints[code] });
}

/** What a mistake in a value is reported of. */
function nameIn(value: unknown): string {
  const { kind, metadata } = (value ?? {}) as {
    readonly kind?: unknown;
    readonly metadata?: { readonly name?: unknown };
  };
  return `${String(kind)}/${String(metadata?.name)}`;
}

function isLogin({ parent }: Session): boolean {
  return parent === null;
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Hex digits of a session's id. */
const WHOLE_ID = 32;
