import { formatHostPort, type LockTarget } from "../../config/mod.ts";
import type { AppsResponse, ClusterConfig, FlowEvent, ReportRefusal } from "../../wire/mod.ts";
import { MAX_APP_MS } from "../../identity/mod.ts";
import { importPublicKey, issueProxyCertificate } from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import { MIN_CLIENT_VERSION, VERSION } from "../../version.ts";
import { Admin } from "./admin/admin.ts";
import type { Agents } from "./agents/agents.ts";
import { AppCertificates } from "./app_certs.ts";
import type { StoreAudit } from "./audit/audit.ts";
import type { Metric } from "../diag/metrics.ts";
import { authMetrics } from "./metrics.ts";
import { AuditForwarder } from "./audit/forward.ts";
import { pause } from "../../wait.ts";
import { FlowReports } from "./agents/flow_reports.ts";
import { FlowRights } from "./agents/flow_rights.ts";
import { openParts, type Parts } from "./foundation.ts";
import { agentPolicy } from "./agents/agent_policy.ts";
import { OfferAudit } from "./agents/offer_audit.ts";
import { followOthers } from "./others.ts";
import { AddrTaking } from "./agents/public_addrs.ts";
import { Gate } from "./api/gate.ts";
import { AgentJoins } from "./agents/join.ts";
import { openLogins } from "./login/open_logins.ts";
import type { OidcLogins } from "./oidc/oidc_logins.ts";
import { Tally } from "../limits/mod.ts";
import { refusalResponse, tooMuchOf } from "./api/refusals.ts";
import { RequestLimits } from "./api/request_limits.ts";
import { createRoutes } from "./api/routes.ts";
import { leafId } from "./trust/leaves.ts";
import type { Roots } from "./trust/roots.ts";
import { leafService, openTrusts, rightFor } from "./trust/trusts.ts";
import type {
  AdmittedAgent,
  AgentVerdict,
  AuthOptions,
  AuthService,
  Denial,
  Hello,
  LeafService,
  OfferRefusal,
  Peer,
  ShutOut,
  TicketHolder,
  UserVerdict,
} from "./types.ts";

const log = getLogger("server", "auth");

type LockListener = (target: LockTarget, reason: ShutOut) => void;

const PRUNE_EVERY_MS = 10 * 60_000;
/** How often it is told what was refused. */
const SUMMARY_MS = 60_000;
/** How often it is looked whether apps are listed no more. */
const EXPIRE_EVERY_MS = 1_000;
/** Hosts of users that are known after a restart. */
const MAX_KNOWN_HOSTS = 10_000;

/** The auth service of one cluster, on one data directory. */
export class Auth implements AuthService {
  readonly clusterName: string;
  readonly agents: Agents;
  readonly leaves: LeafService;
  readonly roots: Roots;
  /** Every leaf that has said what it is. */
  readonly leafClusters: () => ClusterConfig["leaf_clusters"];
  readonly rightFor: AuthService["rightFor"];
  readonly policy: AuthService["policy"];
  readonly audit: StoreAudit;
  readonly admin: Admin;
  readonly #parts: Parts;
  readonly #gate: Gate;
  readonly #joins: AgentJoins;
  readonly #oidc: OidcLogins;
  readonly #routes: ReturnType<typeof createRoutes>;
  readonly #reports: FlowReports;
  readonly #taking: AddrTaking;
  readonly #offers: OfferAudit;
  readonly #forwarders: readonly AuditForwarder[];
  readonly #lockListeners = new Set<LockListener>();
  readonly #reviewListeners = new Set<() => void>();
  readonly #requests = new RequestLimits();
  readonly #tooMuch = new Tally();
  readonly #answering = new Set<Promise<Response>>();
  readonly #timers: readonly ReturnType<typeof setInterval>[];

  private constructor(parts: Parts) {
    const { options, store, audit, failures, directory, changes, agents, holders } = parts;
    const { hasher, userCa, hostCa } = parts;
    const { clusterName: cluster, nowMs, secondFactor } = options;
    const wait = options.delay ?? pause;
    this.#parts = parts;
    this.clusterName = cluster;
    this.agents = agents;
    this.audit = audit;
    this.#taking = new AddrTaking(parts);
    this.#offers = new OfferAudit(audit, nowMs);
    agents.onGone = (agentId) => this.#agentGone(agentId);
    const { leaves, roots, leafJoins } = openTrusts(
      parts,
      (leafId) => this.#reports.forget(leafId),
    );
    this.roots = roots;
    this.#gate = new Gate({ ...parts, leaves, roots, cluster, nowMs });
    const rights = new FlowRights({ store, gate: this.#gate, roots, nowMs });
    const onEnd = (event: FlowEvent) => roots.tellEnd(event);
    this.#reports = new FlowReports({ audit, rights, onEnd, nowMs });
    this.leaves = leafService(leaves, (...report) => this.reportFlow(...report));
    this.leafClusters = () => leaves.configs();
    this.rightFor = (holder) => rightFor(holder, directory);
    this.policy = () => agentPolicy(parts);
    this.#joins = new AgentJoins({
      store,
      audit,
      holders,
      failures,
      hostCa,
      userCaPems: this.userCaPems(),
      cluster,
      nowMs,
      onHeld: () => agents.review(),
    });
    const shared = { store, directory, audit, userCa, cluster, nowMs };
    const { logins, oidc } = openLogins(parts, () => this.#review());
    this.#oidc = oidc;
    const appCerts = new AppCertificates({
      ...shared,
      agents,
      gate: this.#gate,
      leaves,
      logins,
      maxLifeMs: options.appLifeMs ?? MAX_APP_MS,
    });
    this.admin = new Admin({
      ...shared,
      agents,
      hasher,
      caPin: this.hostCaPin(),
      proxies: options.proxyPublicAddrs,
      secondFactor,
      delay: wait,
      events: parts.events,
      startedMs: nowMs(),
      authorities: [
        { kind: "user", notAfterMs: userCa.certificate.validity.notAfterMs },
        { kind: "host", notAfterMs: hostCa.certificate.validity.notAfterMs },
      ],
      openFlows: () => this.#reports.open(),
      onLock: (target, reason) => this.#tellLock(target, reason),
      onAgentRemoved: (agentId) => {
        holders.remove(agentId);
        agents.review();
      },
      joinRoot: (resource, token) => roots.join(resource, token),
      leaveRoot: (name) => roots.leave(name),
      onLeafRemoved: (name) => this.#tellLock({ agent: leafId(name) }, "agent-unknown"),
      onReset: (user) => logins.forgive(user),
      onReview: () => this.#review(),
    });
    this.#routes = createRoutes({
      secondFactor,
      changes,
      logins,
      oidc,
      appCerts,
      joins: this.#joins,
      leafJoins,
      verifyLeaf: (der) => leaves.verify(der),
      delay: wait,
      countRefusal: (code) => this.#tooMuch.add(code),
      find: () => this.#find(),
      config: () => this.#config(),
      apps: (user) => ({
        key: `apps ${directory.sameAs(user)}${leaves.isPersonal ? ` ${user}` : ""}`,
        value: async (): Promise<AppsResponse> => {
          await agents.settled();
          const roles = directory.rolesOf(user) ?? [];
          const own = agents.appsFor(roles);
          const apps = [...own, ...leaves.appsFor({ user, roles }, own.length)];
          return { apps, away: agents.awayFor(roles) };
        },
      }),
      policy: () => this.policy(),
      logout: (user, peer) => this.#logout(user, peer),
      reportFlow: (...report) => this.reportFlow(...report),
      verifyUser: (der) => this.verifyUserCertificate(der),
      verifyAgent: (der) => this.verifyAgentCertificate(der),
    });
    this.#forwarders = AuditForwarder.startAll(options.auditSinks ?? [], parts);
    followOthers(parts, () => this.#review());
    this.#timers = [
      setInterval(() => this.#prune(), PRUNE_EVERY_MS),
      setInterval(() => void this.summarize(), SUMMARY_MS),
      setInterval(() => agents.expire(), EXPIRE_EVERY_MS),
    ];
  }

  /**
   * Opens the data directory, creating authorities and first resources where there are none.
   *
   * @throws {OsError} What `openStore` throws, and `directory-unusable`.
   * @throws {ConfigError} When the store belongs to another cluster.
   */
  static async open(options: AuthOptions): Promise<Auth> {
    return new Auth(await openParts(options));
  }

  fetch(request: Request, peer: Peer): Promise<Response> {
    const answering: Promise<Response> = this.#answer(request, peer)
      .finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
    return answering;
  }

  /** Tells, and records, what came too often for a line each since the last time. Never rejects. */
  async summarize(): Promise<void> {
    const counts = this.#tooMuch.drain();
    if (counts !== null) log.warning("Refused requests in the last minute: too many", counts);
    try {
      await this.#parts.failures.summarize();
    } catch (error) {
      log.error("Cannot record how many logins failed", { error: String(error) });
    }
  }

  metrics(): Promise<readonly Metric[]> {
    return authMetrics(this.#parts, this.#reports);
  }

  /** Rejects when the store cannot be read. */
  async probe(): Promise<void> {
    await this.#parts.store.settings.get("cluster_name");
  }

  /** The hosts that users have logged in from, as `Source` names them, oldest first. */
  knownHosts(): Promise<readonly string[]> {
    return this.#parts.store.knownSources.newest(MAX_KNOWN_HOSTS);
  }

  hostCaPem(): string {
    return this.#parts.hostCa.certificate.pem;
  }

  hostCaPin(): string {
    return this.#parts.hostCa.certificate.pin;
  }

  userCaPems(): readonly string[] {
    return [this.#parts.userCa.certificate.pem];
  }

  async issueProxyCertificate(
    names: readonly string[],
    publicKeyPem: string,
  ): Promise<{ readonly chainPem: string; readonly expiresMs: number }> {
    const publicKey = await importPublicKey(publicKeyPem);
    if (publicKey === null) throw new TypeError("The proxy's key is not a P-256 key");
    const { hostCa, options } = this.#parts;
    const certificate = await issueProxyCertificate(hostCa, { names, publicKey }, options.nowMs());
    return {
      chainPem: certificate.pem + hostCa.certificate.pem,
      expiresMs: certificate.validity.notAfterMs,
    };
  }

  admitLocalAgent(request: {
    readonly name: string;
    readonly apps: readonly string[];
    readonly publicKeyPem: string;
  }): Promise<AdmittedAgent> {
    return this.#joins.admitLocal(request);
  }

  async greet(hello: Hello): Promise<readonly OfferRefusal[]> {
    const { agents } = this.#parts;
    await this.#taking.take(hello.agent, agents.allowed(hello));
    const refused = agents.connected({
      ...hello,
      onRefused: (later) => {
        this.#offers.note(hello.agent, later);
        hello.onRefused?.(later);
      },
    });
    this.#offers.note(hello.agent, refused);
    this.#seeAgents([hello.agent.agentId]);
    return refused;
  }

  verifyTicket(ticket: string): Promise<TicketHolder | null> {
    return this.#gate.ticket(ticket);
  }

  verifyUserCertificate(der: Uint8Array): Promise<UserVerdict> {
    return this.#gate.user(der);
  }

  verifyAgentCertificate(der: Uint8Array): Promise<AgentVerdict> {
    return this.#gate.agent(der);
  }

  revision(): number {
    return this.#parts.changes.revision();
  }

  changed(since: number, signal: AbortSignal): Promise<void> {
    return this.#parts.changes.after(since, signal);
  }

  reportFlow(...report: Parameters<AuthService["reportFlow"]>): Promise<readonly ReportRefusal[]> {
    return this.#reports.write(...report);
  }

  async recordExpelled(agentId: string, reason: string, wasHere: boolean): Promise<void> {
    if (wasHere) await this.audit.write({ event: "agent.expelled", agent_id: agentId, reason });
    await this.#reports.endAll(agentId);
  }

  denialOf(holder: TicketHolder): Denial | null {
    return this.#gate.denialOf(holder);
  }

  onReview(listener: () => void): { [Symbol.dispose](): void } {
    this.#reviewListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#reviewListeners.delete(listener) };
  }

  onLock(listener: LockListener): { [Symbol.dispose](): void } {
    this.#lockListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#lockListeners.delete(listener) };
  }

  async close(): Promise<void> {
    this.#timers.forEach(clearInterval);
    await Promise.all(this.#forwarders.map((one) => one.close()));
    this.#seeAgents(this.agents.connectedIds());
    this.#parts.changes.close();
    this.#parts.events.close();
    await this.#parts.hasher.close();
    this.#oidc.close();
    // Whoever is being answered still writes
    await Promise.all(this.#answering);
    await this.summarize();
    await this.audit.close();
    await this.#parts.store[Symbol.asyncDispose]();
  }

  #find() {
    const { secondFactor, proxyPublicAddrs, proxyListenAddr } = this.#parts.options;
    const [first] = proxyPublicAddrs.map(formatHostPort);
    if (first === undefined) throw new TypeError("A proxy has a public address");
    const listen = proxyListenAddr ?? first;
    return {
      cluster_name: this.clusterName,
      server_version: VERSION,
      min_client_version: MIN_CLIENT_VERSION,
      auth: {
        type: "local" as const,
        second_factor: secondFactor,
        ...(secondFactor === "off" ? {} : { preferred_local_mfa: "otp" as const }),
        allow_passwordless: false as const,
        allow_headless: false as const,
        local: { name: "local" },
        ...this.#oidc.offer(),
      },
      proxy: {
        public_addrs: proxyPublicAddrs.map(formatHostPort),
        tls_routing_enabled: true as const,
        ssh: {
          public_addr: first,
          tunnel_public_addr: first,
          ssh_tunnel_public_addr: first,
          listen_addr: listen,
          tunnel_listen_addr: listen,
          web_listen_addr: listen,
        },
      },
    };
  }

  #config() {
    const { directory, options } = this.#parts;
    return {
      cluster_name: this.clusterName,
      proxy_public_addrs: options.proxyPublicAddrs.map(formatHostPort),
      vnet_config: directory.vnetConfig.spec,
      leaf_clusters: this.leafClusters(),
    };
  }

  async #answer(request: Request, peer: Peer): Promise<Response> {
    try {
      this.#requests.take(peer, this.#parts.options.nowMs());
      return await this.#routes.fetch(request, { peer });
    } catch (error) {
      const tooMuch = tooMuchOf(error);
      if (tooMuch !== null) this.#tooMuch.add(tooMuch);
      const response = refusalResponse(error);
      // Whoever goes on asking shall have to begin anew, which is limited before it costs anything
      response.headers.set("connection", "close");
      return response;
    }
  }

  async #logout(user: Extract<UserVerdict, { kind: "good" }>, peer: Peer): Promise<void> {
    const { store, options, changes } = this.#parts;
    await this.audit.write({
      event: "logout",
      user: user.user,
      session_id: user.sessionId,
      source: peer.address,
    });
    const ended = await store.sessions.end(user.sessionId, options.nowMs());
    for (const session of ended) this.#tellLock({ session }, "session-ended");
    changes.notify();
  }

  #review(): void {
    this.agents.review();
    for (const listener of this.#reviewListeners) listener();
  }

  #tellLock(target: LockTarget, reason: ShutOut): void {
    for (const listener of this.#lockListeners) listener(target, reason);
    // It is gone by now, and shall not be waited for
    if ("agent" in target) this.agents.giveUp(target.agent);
    this.#parts.changes.notify();
  }

  #agentGone(agentId: string): void {
    this.#reports.forget(agentId);
    this.#seeAgents([agentId]);
  }

  /** Notes when agents were here last, for the list of them after a restart. */
  #seeAgents(ids: Iterable<string>): void {
    const { store, options } = this.#parts;
    store.agents.see(ids, options.nowMs()).catch((error) => {
      log.error("Cannot note when an agent was seen", { error: String(error) });
    });
  }

  #prune(): void {
    const { store, holders, options } = this.#parts;
    this.#seeAgents(this.agents.connectedIds());
    const pruning = async () => {
      await store.prune(options.nowMs());
      await holders.reload(() => store.agents.list());
    };
    pruning().catch((error) => {
      log.error("Cannot prune the store", { error: String(error) });
    });
  }
}
