import {
  formatHostPort,
  type HostPort,
  type LockTarget,
  type Resource,
  type SecondFactor,
} from "../../../config/mod.ts";
import { randomHex, randomPassword } from "../../../io/mod.ts";
import { VERSION } from "../../../version.ts";
import type { Session, Store } from "../../store/mod.ts";
import { targetOf } from "./put_plan.ts";
import { notFound, ResourceDesk, type ResourceDeskOptions } from "./resource_desk.ts";
import type { WebCertificateStatus } from "../../../status/mod.ts";
import type { AdminArguments, AdminRequest, AdminResponse } from "./shapes.ts";
import type { Agents } from "../agents/agents.ts";
import type { OpenFlow } from "../agents/flow_reports.ts";
import { withSeq } from "../audit/audit.ts";
import { findNewest } from "../audit/filter.ts";
import type { Changes } from "../changes.ts";
import type { Directory } from "../directory.ts";
import { hashToken } from "../agents/token_hash.ts";
import type { PasswordHasher } from "../login/password.ts";
import { refusal } from "../api/refusals.ts";
import { newTotpSecret, totpUri } from "../login/totp.ts";
import type { AuditLog, OfferRefusal, ShutOut } from "../types.ts";

export interface AdminOptions
  extends Pick<ResourceDeskOptions, "joinRoot" | "leaveRoot" | "onLeafRemoved"> {
  readonly store: Store;
  readonly directory: Directory;
  readonly agents: Agents;
  readonly audit: AuditLog;
  readonly hasher: PasswordHasher;
  readonly cluster: string;
  readonly caPin: string;
  readonly proxies: readonly HostPort[];
  readonly secondFactor: SecondFactor;
  readonly nowMs: () => number;
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Changes of the audit log. */
  readonly events: Changes;
  readonly startedMs: number;
  readonly authorities: readonly { readonly kind: "user" | "host"; readonly notAfterMs: number }[];
  /** Connections to apps that are open, as far as agents have said. */
  readonly openFlows: () => readonly OpenFlow[];
  /** Somebody is kept out from here on. */
  readonly onLock: (target: LockTarget, reason: ShutOut) => void;
  /** An agent is none from here on. */
  readonly onAgentRemoved: (agentId: string) => void;
  /** A user has a new start. */
  readonly onReset: (user: string) => void;
  /** Users, roles, locks or public addresses are others from here on. */
  readonly onReview: () => void;
}

/**
 * What administrators do. Whoever holds this object may do everything: it is reached in this process, or through a
 * socket that only the server's own user may open.
 */
export class Admin {
  readonly #options: AdminOptions;
  readonly #resources: ResourceDesk;
  #webCertificate: () => WebCertificateStatus | null = () => null;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#resources = new ResourceDesk({ ...options, endUser: (name) => this.#endUser(name) });
  }

  /** What tells of the proxy's certificate, from the moment that there is one. */
  set webCertificate(tell: () => WebCertificateStatus | null) {
    this.#webCertificate = tell;
  }

  async status(): Promise<AdminResponse<"status">> {
    const { store, directory, agents, cluster, caPin, proxies, secondFactor, nowMs } =
      this.#options;
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
      sessions: await store.sessions.countLive(nowMs()),
      agents_connected: agents.connectedIds().size,
      apps: agents.apps().length,
      locks: directory.locks(nowMs()).length,
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
    const { directory, store, nowMs } = this.#options;
    const names = [...directory.users.keys()].sort();
    const logins = (await store.sessions.listLive(nowMs())).filter(isLogin);
    const users = await Promise.all(names.map(async (name) => {
      const credential = await store.credentials.get(name);
      return {
        name,
        locked: directory.isUserLocked(name, [], nowMs()),
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
    this.#options.onReset(name);
    await this.#endUser(name);
    return this.#secrets(name, request.password === undefined ? password : null, totpSecret);
  }

  /** Removes a user, the password, and every login. @throws {AuthError} `not-found`. */
  removeUser(name: string): Promise<void> {
    return this.removeResource("user", name);
  }

  /** @returns The token, which is kept nowhere. */
  async addToken(request: AdminArguments<"tokens.add">): Promise<AdminResponse<"tokens.add">> {
    const { store, audit, caPin, nowMs } = this.#options;
    const token = randomHex(16);
    const id = randomHex(4);
    const expiresMs = nowMs() + request.ttl_seconds * 1000;
    const { apps = null, labels } = request;
    const isAny = apps === null && Object.keys(labels).length === 0;
    const publicAddrs = request.public_addrs ?? (isAny ? null : []);
    const scope = { kinds: [request.kind], apps, labels, publicAddrs };
    await audit.write({ event: "token.created", name: id });
    await store.tokens.add({ id, scope, expiresMs, usesLeft: request.uses }, hashToken(token));
    return { id, token, expires: new Date(expiresMs).toISOString(), ca_pin: caPin };
  }

  async listTokens(): Promise<AdminResponse<"tokens.list">> {
    const { store, nowMs } = this.#options;
    const tokens = await store.tokens.list();
    return {
      tokens: tokens.filter(({ expiresMs, usesLeft }) => expiresMs > nowMs() && usesLeft > 0).map((
        { id, scope, expiresMs, usesLeft },
      ) => ({
        id,
        kinds: [...scope.kinds],
        ...(scope.apps === null ? {} : { apps: [...scope.apps] }),
        labels: { ...scope.labels },
        ...(scope.publicAddrs === null ? {} : { public_addrs: [...scope.publicAddrs] }),
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
    const { store, agents, directory, nowMs } = this.#options;
    const atMs = nowMs();
    const connected = agents.connectedIds();
    const stored = await store.agents.list();
    const refusals = agents.refusals();
    return {
      agents: stored.map(({ id, name, apps, joinedMs, renewedMs, seenMs }) => ({
        id,
        name,
        apps: [...apps],
        connected: connected.has(id),
        locked: directory.isAgentLocked(id, atMs),
        joined: toTime(joinedMs),
        renewed: toTime(renewedMs),
        last_seen: toTime(connected.has(id) ? atMs : Math.max(seenMs ?? 0, renewedMs)),
        refused: refusals.filter(({ agentId }) => agentId === id).map(toRefused),
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
    this.#options.onAgentRemoved(id);
    onLock({ agent: id }, "agent-unknown");
  }

  listApps(): AdminResponse<"apps.list"> {
    const { agents } = this.#options;
    return {
      apps: agents.apps().map(({ app, agents }) => ({
        ...app,
        agents: agents.map(({ name }) => name),
      })),
      refused: agents.refusals().map((one) => ({
        agent: one.name,
        agent_id: one.agentId,
        ...toRefused(one),
      })),
    };
  }

  /** See {@link ResourceDesk.put}. */
  putResource(...wish: Parameters<ResourceDesk["put"]>): Promise<Resource> {
    return this.#resources.put(...wish);
  }

  /** See {@link ResourceDesk.apply}. */
  applyResources(
    request: AdminArguments<"resources.apply">,
  ): Promise<AdminResponse<"resources.apply">> {
    return this.#resources.apply(request);
  }

  /** See {@link ResourceDesk.get}. */
  getResources(request: AdminArguments<"resources.get">): Promise<AdminResponse<"resources.get">> {
    return this.#resources.get(request);
  }

  /** See {@link ResourceDesk.remove}. */
  removeResource(kind: Resource["kind"], name: string): Promise<void> {
    return this.#resources.remove(kind, name);
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
      : { expires: toTime(this.#options.nowMs() + ttl_seconds * 1000) };
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
    const { store, directory, openFlows, nowMs } = this.#options;
    const atMs = nowMs();
    const live = await store.sessions.listLive(atMs);
    const flows = openFlows();
    const sessions = live.filter(isLogin).map(({ id, user, startedMs, expiresMs, source }) => {
      const drawn = live.filter(({ parent }) => parent === id);
      return {
        id,
        user,
        ...(startedMs === null ? {} : { started: toTime(startedMs) }),
        expires: toTime(expiresMs),
        ...(source === null ? {} : { source }),
        apps: [...new Set(drawn.flatMap(({ app }) => app?.name ?? []))].sort(),
        flows: flows.filter(({ loginId }) => loginId === id).length,
        locked: directory.isUserLocked(user, [id], atMs),
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
    const { store, audit, onLock, nowMs } = this.#options;
    const login = await this.#findLogin(part);
    const { flows } = await this.#reach({ session: login.id });
    await audit.write({ event: "session.removed", user: login.user, session_id: login.id });
    for (const session of await store.sessions.end(login.id, nowMs())) {
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
    const { after, limit, wait_seconds, ...filter } = request;
    if (after === undefined) {
      const newest = await findNewest(store.events, filter, limit);
      return { events: newest.map((record) => ({ ...record })) };
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
    const { store, nowMs, onLock } = this.#options;
    const ended = await store.sessions.endUser(name, nowMs());
    for (const session of ended) onLock({ session }, "session-ended");
  }

  /** What a lock would cut. */
  async #reach(target: LockTarget): Promise<{ readonly logins: number; readonly flows: number }> {
    const { store, directory, openFlows, nowMs } = this.#options;
    const live = await store.sessions.listLive(nowMs());
    const [kind, name] = targetOf(target);
    const isOf = (user: string, sessions: readonly string[]) => {
      if (kind === "user") return user === name;
      if (kind === "role") return directory.roleNamesOf(user)?.includes(name) ?? false;
      return kind === "session" && sessions.includes(name);
    };
    return {
      logins: live.filter((one) => isLogin(one) && isOf(one.user, [one.id])).length,
      flows:
        openFlows().filter(({ agentId, user, sessionId, loginId }) =>
          kind === "agent" ? agentId === name : isOf(user, [sessionId, loginId])
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
    const { store, nowMs } = this.#options;
    const live = await store.sessions.listLive(nowMs());
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

  #secrets(name: string, password: string | null, totpSecret: string | null) {
    const issuer = this.#options.cluster;
    return {
      name,
      ...(password === null ? {} : { password }),
      ...(totpSecret === null ? {} : { totp_uri: totpUri(totpSecret, { issuer, user: name }) }),
    };
  }
}

function toRefused({ app, code, reason, publicAddr }: OfferRefusal) {
  return { app, code, reason, ...(publicAddr === undefined ? {} : { public_addr: publicAddr }) };
}

function isLogin({ parent }: Session): boolean {
  return parent === null;
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Hex digits of a session's id. */
const WHOLE_ID = 32;
