/**
 * What the auth service takes and gives, for the proxy and the local agent beside it.
 *
 * @module
 */
import type { HostPort, LockTarget, SecondFactor, StoreConfig } from "../../config/mod.ts";
import type {
  AgentApp,
  AgentPolicy,
  FlowEvent,
  ForeignRight,
  ReportRefusal,
} from "../../wire/mod.ts";
import type { OfferRefusalCode } from "../../refusal/mod.ts";
import type { CertificateRefusal } from "../../io/mod.ts";
import type { TokenScope } from "../store/mod.ts";

export interface AuthOptions {
  /** Made if missing, mode 0700; holds the audit log, the admin socket, and the store unless a database does. */
  readonly dataDir: string;
  /** Where the store is, if not in `dataDir`. */
  readonly store?: StoreConfig;
  readonly clusterName: string;
  readonly proxyPublicAddrs: readonly HostPort[];
  /** Where the proxy listens, as `address:port`; only told. The first public address if not given. */
  readonly proxyListenAddr?: string;
  readonly secondFactor: SecondFactor;
  /** Where audit events go beside the file and the store. */
  readonly auditSinks?: readonly AuditSink[];
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** How dear a password is to try; tests take a cheap one. */
  readonly passwordCost?: PasswordCost;
  /** The longest life of an app certificate, if shorter than the usual hour: for tests. */
  readonly appLifeMs?: number;
  /** Waits, for long polls; tests bring their own. Resolves early, and quietly, when the signal fires. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** scrypt's parameters: 2^`logN`, `r`, `p`. */
export interface PasswordCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** Who sent a request. */
export interface Peer {
  /** The address the TCP connection came from, without port. */
  readonly address: string;
  /**
   * The client certificate of the TLS session in DER, if one was shown; the session proves that the peer holds its
   * key. Who signed it is judged here.
   */
  readonly certificate: Uint8Array | null;
}

/** Who holds a ticket; `null` instead means: send them away. */
export interface TicketHolder {
  readonly appId: string;
  readonly app: string;
  readonly sessionId: string;
  /** The login that the app session was drawn from. */
  readonly loginId: string;
  /** As this cluster calls them: `alice`, or `root.example/alice`. */
  readonly user: string;
  readonly expiresMs: number;
  /** The one port that it is for; 0 is any. */
  readonly port: number;
  /** The leaf that the app is in; `null` for an app here. */
  readonly leaf: string | null;
  /** Where the user comes from, and what they are there; `null` for users of this cluster. */
  readonly home: {
    readonly cluster: string;
    readonly user: string;
    readonly roles: readonly string[];
  } | null;
}

/** Why somebody may not go on with what they were let in to. */
export type Denial = "access-denied" | "access-locked";

/** Why somebody is kept out from one moment to the next. */
export type ShutOut = "access-locked" | "agent-unknown" | "session-ended";

/** An agent that showed a certificate of ours and is still wanted. */
export interface AgentIdentity {
  readonly agentId: string;
  readonly name: string;
  /** The names of the apps it may serve. */
  readonly apps: readonly string[];
  /** Of the token it joined with. */
  readonly scope: TokenScope;
  /** The leaf that it is; absent for an agent of this cluster. */
  readonly leaf?: string;
  /** What a leaf's certificate names. */
  readonly joinId?: string;
  readonly certificateExpiresMs: number;
}

/** An agent that was let in without a token. */
export interface AdmittedAgent {
  readonly certificatePem: string;
  /** For the apps that the first does not name. */
  readonly appCertificatePems: readonly string[];
  readonly agent: AgentIdentity;
}

type Refusal<Code extends string = string> = {
  readonly kind: "refused";
  readonly code: Code;
  readonly message: string;
};

export type AgentVerdict =
  | { readonly kind: "good"; readonly agent: AgentIdentity }
  | Refusal<CertificateRefusal | "agent-unknown" | "access-locked">;

export type UserVerdict =
  | {
    readonly kind: "good";
    readonly user: string;
    readonly sessionId: string;
    readonly roles: readonly string[];
    readonly certificateExpiresMs: number;
  }
  | Refusal<CertificateRefusal | "session-ended" | "access-locked">;

/** A connected agent that serves an app; `instance` is the control channel's own symbol. */
export interface AgentHandle {
  readonly agentId: string;
  readonly name: string;
  readonly instance: symbol;
}

/** What an agent offers and may not have: an app, or one public address of an app. */
export interface OfferRefusal {
  readonly app: string;
  /** Set where only this address is refused, and not the app. */
  readonly publicAddr?: string;
  readonly code: OfferRefusalCode;
  readonly reason: string;
}

/** What an agent says when it comes, and when its apps are others. */
export interface Hello {
  readonly agent: AgentIdentity;
  readonly apps: readonly AgentApp[];
  readonly instance: symbol;
  /** What a leaf says of itself, as it says it. */
  readonly leaf?: unknown;
  /** Called when what is refused has become something else, with all of it. */
  readonly onRefused?: (refused: readonly OfferRefusal[]) => void;
}

/** Which agents are connected, and what they serve. */
export interface AgentDirectory {
  /** A control channel ended; unknown instances are ignored. */
  disconnected(instance: symbol): void;
  /** The agents that serve an app, longest connected first. */
  agentsFor(appId: string): readonly AgentHandle[];
  /**
   * Waits for an agent of an app that was there a moment ago, some seconds at most. Never rejects.
   *
   * @returns Whether there is one.
   */
  comesBack(appId: string, signal: AbortSignal): Promise<boolean>;
}

/** How somebody logged in, where it was not with a password of the cluster's own. */
export interface LoginWay {
  readonly method?: "oidc";
  /** By which resource. */
  readonly connector?: string;
}

/** What happened, for the audit log. Never a secret. */
export interface AuditEvent extends LoginWay {
  readonly event:
    | "login.ok"
    | "login.failed"
    | "login.locked"
    | "logout"
    | "app.cert.issued"
    | "app.cert.refused"
    | "app.session.start"
    | "app.session.end"
    | "leaf.join.ok"
    | "leaf.join.failed"
    | "leaf.renewed"
    | "root.trusted"
    | "agent.join.ok"
    | "agent.join.failed"
    | "agent.renewed"
    | "agent.removed"
    | "agent.expelled"
    | "agent.app.refused"
    | "agent.report.refused"
    | "public_addr.taken"
    | "resource.put"
    | "resource.removed"
    | "user.reset"
    | "session.removed"
    | "token.created"
    | "token.removed";
  readonly user?: string;
  /** The address of whoever asked. */
  readonly source?: string;
  readonly session_id?: string;
  readonly connection_id?: string;
  readonly app?: string;
  readonly port?: number;
  readonly agent_id?: string;
  readonly agent?: string;
  readonly peer?: string;
  readonly kind?: string;
  readonly name?: string;
  /** Whom a lock is for, as `user/alice`. */
  readonly target?: string;
  /** What a user has from here on. */
  readonly roles?: readonly string[];
  readonly reason?: string;
  /** How many more there were of the same: of failures that come too often for an event each. */
  readonly count?: number;
  readonly mfa?: boolean;
  readonly sent_bytes?: number;
  readonly received_bytes?: number;
  readonly duration_ms?: number;
  /** How many more like it were not recorded. */
  readonly unrecorded?: number;
  readonly expires?: string;
}

/** An event as it is kept: numbered, timed, named. */
export interface AuditRecord extends AuditEvent {
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly cluster_name: string;
}

/** Somewhere else that keeps events. */
export interface AuditSink {
  /** What it is called in the log: without a secret. */
  readonly name: string;
  /** Resolves when it has them. What it may have taken in part is sent again after it rejects. */
  send(records: readonly AuditRecord[], signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface AuditLog {
  /**
   * Keeps an event in the store and in `audit.jsonl`. Resolves when both have it.
   *
   * @throws {OsError} `audit-unwritable`: what the event is about must then not happen.
   */
  write(event: AuditEvent): Promise<void>;
}

/** Leaves, which are to the proxy what agents are. */
export interface LeafService extends Pick<AuthService, "greet" | "reportFlow"> {
  readonly agents: AgentDirectory;
  verify(der: Uint8Array): AgentVerdict;
}

/** The roots whose users come here. */
export interface RootService {
  /** Judges a right that a root says it gave, for an app of this id. `null`: send them away. */
  judge(root: string, right: ForeignRight, appId: string): TicketHolder | null;
}

/** What other parts of the server use of the auth service. `Auth` is it. */
export interface AuthService {
  readonly clusterName: string;
  readonly agents: AgentDirectory;
  readonly leaves: LeafService;
  readonly roots: RootService;
  readonly audit: AuditLog;
  /** Answers every `/webapi` and `/v1` request but the agents' WebSocket. Never rejects. */
  fetch(request: Request, peer: Peer): Promise<Response>;
  hostCaPem(): string;
  /** `sha256:…` of the host CA. */
  hostCaPin(): string;
  userCaPems(): readonly string[];
  /** A proxy certificate for its names, 24 hours, followed by the host CA. */
  issueProxyCertificate(
    names: readonly string[],
    publicKeyPem: string,
  ): Promise<{ readonly chainPem: string; readonly expiresMs: number }>;
  /** Admits the agent inside this process, without a token; its apps are exactly these. */
  admitLocalAgent(request: {
    readonly name: string;
    readonly apps: readonly string[];
    readonly publicKeyPem: string;
  }): Promise<AdmittedAgent>;
  /**
   * An agent said hello. Public addresses that nobody has and that it may take are bound to its apps first.
   *
   * @returns What it may not have: such apps are not listed and nobody is sent to it for them.
   */
  greet(hello: Hello): Promise<readonly OfferRefusal[]>;
  /** The ticket's mac, expiry, session, user, locks and roles are all looked at. */
  verifyTicket(ticket: string): Promise<TicketHolder | null>;
  /** Why whoever holds a ticket that was good may not go on: user, locks and roles are looked at. `null`: they may. */
  denialOf(holder: TicketHolder): Denial | null;
  /** What a leaf is told of whoever holds a ticket for an app of its. */
  rightFor(holder: TicketHolder): ForeignRight;
  verifyUserCertificate(der: Uint8Array): Promise<UserVerdict>;
  verifyAgentCertificate(der: Uint8Array): Promise<AgentVerdict>;
  /** What agents decide every flow by; the local agent asks here, others over HTTPS. */
  policy(): Promise<AgentPolicy>;
  /** Counts changes of what `policy`, `/v1/config` and `/v1/apps` say. Read it before `policy`, then wait on it. */
  revision(): number;
  /** Waits until the revision is another than `since`, or the signal fires. Never rejects. */
  changed(since: number, signal: AbortSignal): Promise<void>;
  /**
   * Writes down what an agent says of its flows, as far as it is about rights that were given. Whoever begins a flow
   * is judged by what is true at this moment.
   *
   * @param how With `partial` the rest is written when some of it is refused, else nothing.
   * @returns What is refused, by its index; empty without `partial`: it rejects then.
   * @throws {AuthError} `busy`, and without `partial` the first refusal.
   * @throws {OsError} `audit-unwritable`: nothing of it must happen.
   */
  reportFlow(
    agent: AgentIdentity,
    events: readonly FlowEvent[],
    how: { readonly partial: boolean },
  ): Promise<readonly ReportRefusal[]>;
  /**
   * Records that an agent was shut out, if it was here, and that what it carried has ended.
   *
   * @throws {OsError} `audit-unwritable`.
   */
  recordExpelled(agentId: string, reason: string, wasHere: boolean): Promise<void>;
  /** Calls back when somebody is locked out, removed or logs out, so that what they have open can be cut. */
  onLock(listener: (target: LockTarget, reason: ShutOut) => void): { [Symbol.dispose](): void };
  /** Calls back when users, roles or locks have changed, so that {@link denialOf} may have another answer. */
  onReview(listener: () => void): { [Symbol.dispose](): void };
  close(): Promise<void>;
}
