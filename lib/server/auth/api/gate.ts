import {
  decideAccess,
  decodeTicket,
  encodeTicket,
  type Ticket,
  TICKET_MAC_BYTES,
  ticketPayload,
} from "../../../identity/mod.ts";
import {
  type Authority,
  type CertificateVerdict,
  equalSecret,
  hmacSha256,
  KnownCertificates,
  type LoginClient,
  verifyCertificate,
  verifyLoginClient,
} from "../../../io/mod.ts";
import type { Store, StoredAgent } from "../../store/mod.ts";
import type { Agents } from "../agents/agents.ts";
import type { Directory } from "../directory.ts";
import type { Leaves } from "../trust/leaves.ts";
import type { Roots } from "../trust/roots.ts";
import type { AgentIdentity, AgentVerdict, Denial, TicketHolder, UserVerdict } from "../types.ts";

/** Who may come in: judges certificates and tickets against what is true at this moment. */
export class Gate {
  readonly #store: Store;
  readonly #directory: Directory;
  readonly #agents: Agents;
  readonly #leaves: Leaves;
  readonly #roots: Roots;
  readonly #cluster: string;
  readonly #logins: KnownCertificates<Extract<LoginClient, { readonly kind: "good" }>>;
  readonly #agentCertificates: KnownCertificates<
    Extract<CertificateVerdict, { readonly kind: "good" }>
  >;
  readonly #ticketKey: Uint8Array;
  readonly #nowMs: () => number;

  constructor(options: {
    readonly store: Store;
    readonly directory: Directory;
    readonly agents: Agents;
    readonly leaves: Leaves;
    readonly roots: Roots;
    readonly cluster: string;
    readonly userCa: Authority;
    readonly hostCa: Authority;
    readonly ticketKey: Uint8Array;
    readonly nowMs: () => number;
  }) {
    this.#store = options.store;
    this.#directory = options.directory;
    this.#agents = options.agents;
    this.#leaves = options.leaves;
    this.#roots = options.roots;
    this.#cluster = options.cluster;
    const userCas = [options.userCa.certificate];
    const authorities = [options.hostCa.certificate];
    this.#logins = new KnownCertificates((der, nowMs) =>
      verifyLoginClient(der, { userCas, nowMs })
    );
    this.#agentCertificates = new KnownCertificates((der, nowMs) =>
      verifyCertificate(der, { authorities, purpose: "client", nowMs })
    );
    this.#ticketKey = options.ticketKey;
    this.#nowMs = options.nowMs;
  }

  /** Judges a login's certificate: ours, in force, its session not ended, its user still there and not locked. */
  async user(der: Uint8Array): Promise<UserVerdict> {
    const nowMs = this.#nowMs();
    const client = this.#logins.judge(der, nowMs);
    if (client.kind === "bad") return { ...client, kind: "refused" };
    const { principal, claims, certificate } = client;
    if (principal.cluster !== this.#cluster) {
      return refused("certificate-foreign", "The certificate is another cluster's");
    }
    const session = await this.#store.sessions.getLive(claims.sessionId, nowMs);
    if (session === null || session.app !== null || session.user !== principal.name) {
      return refused("session-ended", "The login has ended");
    }
    const roles = await this.#rolesOf(principal.name, session.id, nowMs);
    if (roles === null) return refused("session-ended", "The user is gone");
    if (this.#directory.isUserLocked(principal.name, [session.id], nowMs)) {
      const message = this.#directory.lockWords(principal.name, [session.id], nowMs);
      return refused("access-locked", message);
    }
    return {
      kind: "good",
      user: principal.name,
      sessionId: session.id,
      roles,
      certificateExpiresMs: certificate.validity.notAfterMs,
    };
  }

  /** @returns The names of a user's roles; `null` if there is no such user, or by this login there is none. */
  async #rolesOf(
    user: string,
    sessionId: string,
    nowMs: number,
  ): Promise<readonly string[] | null> {
    const { users, guests, connectors } = this.#directory;
    const own = users.get(user);
    const guest = await guests.ofSession(sessionId, user, nowMs);
    // A guest is not the cluster's own user of the same name, who may have been added since
    if (own !== undefined) return guest === null ? own : null;
    return guest !== null && connectors.has(guest.connector) ? guest.roles : null;
  }

  /** Judges an agent's certificate: ours, in force, the agent not removed and not locked. */
  async agent(der: Uint8Array): Promise<AgentVerdict> {
    const nowMs = this.#nowMs();
    const verdict = this.#agentCertificates.judge(der, nowMs);
    if (verdict.kind === "bad") return { ...verdict, kind: "refused" };
    const { principal, validity } = verdict.certificate;
    if (principal?.kind !== "agent" || principal.cluster !== this.#cluster) {
      return refused("certificate-foreign", "The certificate is not an agent's of this cluster");
    }
    const stored = await this.#store.agents.get(principal.name);
    if (stored === null) return refused("agent-unknown", "The agent was removed");
    if (this.#directory.isAgentLocked(stored.id, nowMs)) {
      return refused("access-locked", `The agent "${stored.name}" is locked out`);
    }
    return { kind: "good", agent: toIdentity(stored, validity.notAfterMs) };
  }

  /** Writes a ticket for an app session. */
  issueTicket(session: { readonly id: string; readonly expiresMs: number }): string {
    const ticket = {
      expiresSeconds: Math.floor(session.expiresMs / 1000),
      sessionId: session.id,
    };
    return encodeTicket(ticket, this.#macOf(ticket));
  }

  /** Judges a ticket: ours, not expired, its session live, its user not locked, the app still allowed. */
  async ticket(text: string): Promise<TicketHolder | null> {
    const nowMs = this.#nowMs();
    const decoded = decodeTicket(text);
    if (decoded === null || !equalSecret(decoded.mac, this.#macOf(decoded.ticket))) return null;
    if (nowMs >= decoded.ticket.expiresSeconds * 1000) return null;
    const session = await this.#store.sessions.getLive(decoded.ticket.sessionId, nowMs);
    if (session === null || session.app === null || session.parent === null) return null;
    if (await this.#rolesOf(session.user, session.parent, nowMs) === null) return null;
    const holder: TicketHolder = {
      appId: session.app.id,
      app: session.app.name,
      sessionId: session.id,
      loginId: session.parent,
      user: session.user,
      expiresMs: session.expiresMs,
      port: session.app.port,
      leaf: session.app.cluster,
      home: null,
    };
    return this.denialOf(holder) === null ? holder : null;
  }

  /** Why somebody whose ticket was good may not go on, as far as users, roles and locks are concerned. */
  denialOf(
    holder: Pick<TicketHolder, "user" | "app" | "sessionId" | "loginId" | "leaf" | "home">,
  ): Denial | null {
    const { user, app, sessionId, loginId, leaf } = holder;
    if (holder.home !== null) return this.#roots.denialOf(holder);
    const roles = this.#directory.rolesOf(user);
    if (roles === null) return "access-denied";
    if (this.#directory.isUserLocked(user, [sessionId, loginId], this.#nowMs())) {
      return "access-locked";
    }
    if (leaf !== null) {
      const isGone = this.#leaves.find(leaf, app) === null;
      return isGone || this.#leaves.decide(leaf, app, { user, roles }) !== null
        ? null
        : "access-denied";
    }
    const served = this.#agents.find(app);
    // An app that nobody serves is not refused here: the proxy says that there is no agent
    return served === null || decideAccess(roles, served.app.labels).kind !== "denied"
      ? null
      : "access-denied";
  }

  #macOf(ticket: Ticket): Uint8Array {
    return hmacSha256(this.#ticketKey, ticketPayload(ticket)).subarray(0, TICKET_MAC_BYTES);
  }
}

/** What others need to know of an agent that joined. */
export function toIdentity(stored: StoredAgent, certificateExpiresMs: number): AgentIdentity {
  return {
    agentId: stored.id,
    name: stored.name,
    apps: stored.apps,
    scope: stored.scope,
    certificateExpiresMs,
  };
}

function refused<Code extends string>(code: Code, message: string) {
  return { kind: "refused" as const, code, message };
}
