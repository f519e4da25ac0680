import { portAllowed } from "../../config/mod.ts";
import { type AppCertRequest, type AppCertResponse } from "../../wire/mod.ts";
import { AuthError } from "../../error.ts";
import { decideAccess } from "../../identity/mod.ts";
import { type Authority, importPublicKey, issueAppCertificate, randomHex } from "../../io/mod.ts";
import type { Store } from "../store/mod.ts";
import type { Agents, ServedApp } from "./agents/agents.ts";
import type { Directory } from "./directory.ts";
import type { Leaves } from "./trust/leaves.ts";
import type { Gate } from "./api/gate.ts";
import type { Logins } from "./login/login.ts";
import { RateLimit } from "./login/rate.ts";
import { refusal } from "./api/refusals.ts";
import type { AuditLog, Peer, UserVerdict } from "./types.ts";

/** App certificates one login may draw. */
const CERTIFICATES = { burst: 200, perSecond: 5 };

type User = Extract<UserVerdict, { readonly kind: "good" }>;

interface AppCertificatesOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly agents: Agents;
  readonly leaves: Leaves;
  readonly gate: Gate;
  readonly logins: Logins;
  readonly audit: AuditLog;
  readonly userCa: Authority;
  readonly cluster: string;
  /** The longest life of a certificate. */
  readonly maxLifeMs: number;
  readonly nowMs: () => number;
}

/** Gives users the right to one app for a while: a certificate and a ticket. */
export class AppCertificates {
  readonly #options: AppCertificatesOptions;
  readonly #rate = new RateLimit(CERTIFICATES);

  constructor(options: AppCertificatesOptions) {
    this.#options = options;
  }

  /**
   * @throws {AuthError} `app-unknown`, `cluster-unknown`, `port-not-allowed`, `mfa-required`, `mfa-failed`,
   * `mfa-not-enrolled`, `public-key-unsupported`, `rate-limited`.
   */
  async issue(request: AppCertRequest, user: User, peer: Peer): Promise<AppCertResponse> {
    const { audit, nowMs } = this.#options;
    this.#rate.take(user.sessionId, nowMs());
    try {
      return await this.#issue(request, user, peer);
    } catch (thrown) {
      // To be asked for the code is the way, not its end
      if (!(thrown instanceof AuthError) || thrown.code === "mfa-required") throw thrown;
      await audit.write({
        event: "app.cert.refused",
        user: user.user,
        source: peer.address,
        session_id: user.sessionId,
        app: request.app,
        port: request.port,
        reason: thrown.code,
      });
      throw thrown;
    }
  }

  async #issue(request: AppCertRequest, user: User, peer: Peer): Promise<AppCertResponse> {
    const { store, gate, audit, userCa, cluster, maxLifeMs, nowMs } = this.#options;
    const publicKey = await importPublicKey(request.public_key);
    if (publicKey === null) {
      throw refusal("public-key-unsupported", { message: "The key is not a P-256 key" });
    }
    const isHere = request.cluster === cluster;
    if (isHere) await this.#awaitApp(request, user);
    const { served, requireMfa } = this.#decide(request, user);
    const mfaTimeMs = requireMfa ? await this.#confirm(request, user, peer) : null;
    const atMs = nowMs();
    const sessionId = randomHex(16);
    const { app } = served;
    const certificate = await issueAppCertificate(userCa, {
      cluster,
      user: user.user,
      claims: {
        cluster: app.cluster,
        app: app.name,
        publicAddr: app.public_addrs[0]!,
        port: request.port,
        roles: user.roles,
        sessionId,
        loginId: user.sessionId,
        mfaTimeMs,
      },
      person: this.#options.directory.claimsOf(user.user),
      publicKey,
    }, { nowMs: atMs, userNotAfterMs: user.certificateExpiresMs, maxLifeMs });
    const expiresMs = certificate.validity.notAfterMs;
    const expires = new Date(expiresMs).toISOString();
    await store.sessions.add({
      id: sessionId,
      user: user.user,
      startedMs: atMs,
      expiresMs,
      source: peer.address,
      parent: user.sessionId,
      app: {
        name: app.name,
        id: app.app_id,
        port: request.port,
        cluster: isHere ? null : app.cluster,
      },
    });
    await audit.write({
      event: "app.cert.issued",
      user: user.user,
      source: peer.address,
      session_id: sessionId,
      app: app.name,
      port: request.port,
      mfa: mfaTimeMs !== null,
      expires,
    });
    const ticket = gate.issueTicket({ id: sessionId, expiresMs });
    return { certificate: certificate.pem, ticket, expires };
  }

  /** An app whose agent was there a moment ago is waited for. */
  async #awaitApp({ app }: AppCertRequest, { user }: User): Promise<void> {
    const { directory, agents } = this.#options;
    if (agents.find(app) !== null) return;
    await agents.awaitFor(app, directory.rolesOf(user) ?? [], new AbortController().signal);
  }

  #decide(
    request: AppCertRequest,
    user: User,
  ): { readonly served: Pick<ServedApp, "app" | "tcpPorts">; readonly requireMfa: boolean } {
    const { directory, agents, leaves, cluster } = this.#options;
    const isHere = request.cluster === cluster;
    if (!isHere && directory.trusts.get(request.cluster)?.side !== "leaf") {
      throw refusal("cluster-unknown", { message: "The cluster does not know that cluster" });
    }
    const served = isHere ? agents.find(request.app) : leaves.find(request.cluster, request.app);
    const roles = directory.rolesOf(user.user);
    const access = served === null || roles === null
      ? null
      : isHere
      ? decideAccess(roles, served.app.labels)
      : leaves.decide(request.cluster, request.app, { user: user.user, roles });
    // One answer for both, so that nobody learns what there is that they may not use
    if (served === null || access?.kind !== "allowed") {
      throw refusal("app-unknown", { message: "There is no such app that your roles allow" });
    }
    // An app without ports of its own takes any, and a certificate for any (0) may be asked for
    const isAny = served.tcpPorts === null && request.port === 0;
    if (!isAny && !portAllowed(served.tcpPorts, request.port)) {
      throw refusal("port-not-allowed", { message: `The app does not serve port ${request.port}` });
    }
    return { served, requireMfa: access.requireSessionMfa };
  }

  /** @returns When the second factor was shown. */
  async #confirm(request: AppCertRequest, user: User, peer: Peer): Promise<number> {
    if (request.totp_code === undefined) {
      throw refusal("mfa-required", {
        message: "The app asks for the second factor once per session",
      });
    }
    if (request.port === 0) {
      throw refusal("port-not-allowed", {
        message: "With the second factor a certificate is for one port",
        hint: "Ask for the port that is connected to",
      });
    }
    await this.#options.logins.confirm(user.user, request.totp_code, peer);
    return this.#options.nowMs();
  }
}
