import type { AgentRenewRequest, JoinRequest, JoinResponse } from "../../../wire/mod.ts";
import {
  appId,
  type Authority,
  type Certificate,
  importPublicKey,
  issueAgentCertificate,
  randomHex,
} from "../../../io/mod.ts";
import { sourceOf } from "../../../ip/mod.ts";
import { getLogger } from "../../../log.ts";
import type { Store, StoredAgent, TokenScope } from "../../store/mod.ts";
import { toIdentity } from "../api/gate.ts";
import { hashToken } from "./token_hash.ts";
import type { AppHolders } from "./app_holders.ts";
import type { FailureAudit } from "../login/failure_audit.ts";
import { RateLimit, SourceRateLimit } from "../login/rate.ts";
import { refusal } from "../api/refusals.ts";
import type { AdmittedAgent, AgentIdentity, AuditLog, Peer } from "../types.ts";

const log = getLogger("server", "auth");

interface AgentJoinsOptions {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly holders: AppHolders;
  readonly failures: FailureAudit;
  readonly hostCa: Authority;
  readonly userCaPems: readonly string[];
  readonly cluster: string;
  readonly nowMs: () => number;
  /** Agents hold other apps than before. */
  readonly onHeld: () => void;
}

/** The certificates of one agent, for one key. */
interface Certificates {
  /** Shown to the proxy, and to clients of its first apps. */
  readonly own: Certificate;
  /** Shown to clients of the others. */
  readonly forApps: readonly Certificate[];
}

/** What is asked to be certified. */
interface Wish {
  readonly name: string;
  readonly apps: readonly string[];
  readonly publicKeyPem: string;
}

/** Apps in one of several certificates: 39 bytes each, in every handshake with a client. */
const APPS_PER_CERTIFICATE = 64;
/** Apps in a certificate that is the only one: TLS libraries read none much longer. */
const APPS_IN_ONE = 800;

const APP_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Tokens one source may try. */
const ATTEMPTS = { burst: 30, perSecond: 0.5 };
/** Certificates one agent may draw: it needs two a day, and one when its apps change. */
const RENEWALS = { burst: 20, perSecond: 0.1 };

/** Lets agents in, and renews their certificates. */
export class AgentJoins {
  readonly #options: AgentJoinsOptions;
  readonly #attempts = new SourceRateLimit(ATTEMPTS);
  readonly #renewals = new RateLimit(RENEWALS);

  constructor(options: AgentJoinsOptions) {
    this.#options = options;
  }

  /**
   * @throws {AuthError} `token-invalid`, `token-out-of-scope`, `app-taken`, `public-key-unsupported`,
   * `request-malformed`, `rate-limited`.
   */
  async join(request: JoinRequest, peer: Peer): Promise<JoinResponse> {
    const { store, audit, nowMs } = this.#options;
    this.#attempts.take(sourceOf(peer.address), nowMs());
    const hash = hashToken(request.token);
    const token = await store.tokens.find(hash, nowMs());
    if (token === null) return await this.#refuseToken(peer);
    checkScope(token.scope, request);
    // Everything that may be wrong with the request is found before the token is used up
    const publicKey = await readKey(request.public_key);
    checkNames([request.name, ...request.apps]);
    this.#checkHeld(token.scope, null, request.apps);
    checkSize(request);
    if (!await store.tokens.take(hash, nowMs())) return await this.#refuseToken(peer);
    const agent = await this.#admit({
      name: request.name,
      apps: request.apps,
      scope: token.scope,
    });
    const certificates = await this.#certify(agent, publicKey, request.split_certificates);
    await audit.write({
      event: "agent.join.ok",
      agent_id: agent.id,
      agent: agent.name,
      source: peer.address,
      name: token.id,
    });
    log.info("Agent joined", { agent: agent.id });
    return this.#response(agent, certificates);
  }

  /** Lets the agent inside this process in; it replaces the one of the same name. */
  async admitLocal(
    wish: Wish,
  ): Promise<AdmittedAgent> {
    const publicKey = await readKey(wish.publicKeyPem);
    checkNames([wish.name, ...wish.apps]);
    const scope = { kinds: ["app"], apps: null, labels: {}, publicAddrs: null };
    const agent = await this.#admit({ ...wish, scope }, `local-${wish.name}`);
    const { own, forApps } = await this.#certify(agent, publicKey, true);
    await this.#options.audit.write({
      event: "agent.join.ok",
      agent_id: agent.id,
      agent: agent.name,
    });
    return {
      certificatePem: own.pem,
      appCertificatePems: forApps.map(({ pem }) => pem),
      agent: toIdentity(agent, own.validity.notAfterMs),
    };
  }

  /** @throws {AuthError} `agent-unknown`, `token-out-of-scope`, `app-taken`, `public-key-unsupported`. */
  async renew(
    identity: AgentIdentity,
    request: AgentRenewRequest,
    peer: Peer,
  ): Promise<JoinResponse> {
    const { store, audit, nowMs } = this.#options;
    this.#renewals.take(identity.agentId, nowMs());
    const held = await store.agents.get(identity.agentId);
    if (held === null) throw refusal("agent-unknown", { message: "The agent was removed" });
    checkScope(held.scope, { kind: held.scope.kinds[0] ?? "", apps: request.apps });
    checkNames(request.apps);
    // What it held before is judged when it is offered, and does not keep it from its certificate
    const added = request.apps.filter((app) => !held.apps.includes(app));
    this.#checkHeld(held.scope, held.id, added);
    checkSize(request);
    const publicKey = await readKey(request.public_key);
    const agent = { ...held, apps: unique(request.apps), renewedMs: nowMs() };
    await this.#hold(agent);
    const certificates = await this.#certify(agent, publicKey, request.split_certificates);
    await audit.write({
      event: "agent.renewed",
      agent_id: agent.id,
      agent: agent.name,
      source: peer.address,
    });
    return this.#response(agent, certificates);
  }

  async #admit(
    wish: { readonly name: string; readonly apps: readonly string[]; readonly scope: TokenScope },
    id: string = randomHex(16),
  ): Promise<StoredAgent> {
    const atMs = this.#options.nowMs();
    const agent = {
      id,
      name: wish.name,
      apps: unique(wish.apps),
      scope: wish.scope,
      joinedMs: atMs,
      renewedMs: atMs,
      seenMs: null,
    };
    await this.#hold(agent);
    return agent;
  }

  async #hold(agent: StoredAgent): Promise<void> {
    const { store, holders, onHeld } = this.#options;
    await store.agents.put(agent);
    holders.put(agent);
    onHeld();
  }

  /** @throws {AuthError} `app-taken`. */
  #checkHeld(scope: TokenScope, id: string | null, apps: readonly string[]): void {
    const taken = apps.find((app) => this.#options.holders.isTaken(app, id, scope));
    if (taken === undefined) return;
    throw refusal("app-taken", {
      message: `Agents with another token serve an app "${taken}", and this token does not name it`,
    });
  }

  async #certify(
    agent: StoredAgent,
    publicKey: CryptoKey,
    isSplit: boolean = false,
  ): Promise<Certificates> {
    const { hostCa, cluster, nowMs } = this.#options;
    const certify = (apps: readonly string[]) => {
      const appIds = apps.map((app) => appId(cluster, app));
      const fields = { cluster, agentId: agent.id, appIds, publicKey };
      return issueAgentCertificate(hostCa, fields, nowMs());
    };
    const ownApps = isSplit ? APPS_PER_CERTIFICATE : APPS_IN_ONE;
    const forApps: Certificate[] = [];
    for (let at = ownApps; at < agent.apps.length; at += APPS_PER_CERTIFICATE) {
      forApps.push(await certify(agent.apps.slice(at, at + APPS_PER_CERTIFICATE)));
    }
    return { own: await certify(agent.apps.slice(0, ownApps)), forApps };
  }

  #response(agent: StoredAgent, { own, forApps }: Certificates): JoinResponse {
    const { cluster, hostCa, userCaPems } = this.#options;
    return {
      cluster_name: cluster,
      agent_id: agent.id,
      certificate: own.pem,
      ...(forApps.length === 0 ? {} : { app_certificates: forApps.map(({ pem }) => pem) }),
      trust: { host_cas: [hostCa.certificate.pem] },
      user_cas: [...userCaPems],
      expires: new Date(own.validity.notAfterMs).toISOString(),
    };
  }

  async #refuseToken(peer: Peer): Promise<never> {
    await this.#options.failures.write({
      event: "agent.join.failed",
      source: peer.address,
      reason: "token",
    });
    throw refusal("token-invalid", { message: "The token is unknown, expired or used up" });
  }
}

function checkScope(
  scope: TokenScope,
  wish: { readonly kind: string; readonly apps: readonly string[] },
): void {
  const beyond = wish.apps.find((app) => scope.apps !== null && !scope.apps.includes(app));
  if (scope.kinds.includes(wish.kind) && beyond === undefined) return;
  throw refusal("token-out-of-scope", {
    message: beyond === undefined
      ? "The token is for another kind of agent"
      : `The token is not for the app "${beyond}"`,
  });
}

/** @throws {AuthError} `apps-too-many` for more than one certificate can name, where only one is understood. */
function checkSize({ apps, split_certificates: isSplit }: AgentRenewRequest): void {
  if (isSplit || apps.length <= APPS_IN_ONE) return;
  throw refusal("apps-too-many", {
    message:
      `An agent of this version serves ${APPS_IN_ONE} apps at most, and names ${apps.length}`,
    hint: "Update the agent, or serve the others with another one",
  });
}

function checkNames(names: readonly string[]): void {
  const bad = names.find((name) => !APP_NAME.test(name));
  if (bad !== undefined) {
    throw refusal("request-malformed", { message: `Not a DNS label: "${bad.slice(0, 80)}"` });
  }
}

async function readKey(publicKeyPem: string): Promise<CryptoKey> {
  const key = await importPublicKey(publicKeyPem);
  if (key !== null) return key;
  throw refusal("public-key-unsupported", { message: "The key is not a P-256 key" });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
