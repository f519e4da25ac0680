/**
 * What the auth service keeps. Every method is one atomic act, so that a store may be a file in this process or a
 * PostgreSQL server that several processes share. Times are milliseconds since 1970. Unless its words say otherwise,
 * what a method has changed when it resolves survives a power failure.
 *
 * @module
 */

/** An authority's certificate and key, PEM. */
export interface StoredAuthority {
  readonly kind: "user" | "host";
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface Settings {
  get(key: string): Promise<string | null>;
  /** Keeps a value unless there is one. @returns The value in force. */
  setOnce(key: string, value: string): Promise<string>;
  /** Keeps a value in the place of the one there is. A power failure may undo it. */
  set(key: string, value: string): Promise<void>;
}

export interface Authorities {
  /** Oldest first. */
  list(kind: StoredAuthority["kind"]): Promise<readonly StoredAuthority[]>;
  /** Keeps the first authority of a kind unless there is one already. */
  addFirst(authority: StoredAuthority): Promise<void>;
}

/** A resource as it is written, without its revision. */
export interface ResourceText {
  readonly kind: string;
  readonly name: string;
  /** JSON. */
  readonly body: string;
}

export interface StoredResource extends ResourceText {
  readonly revision: number;
}

export interface Resources {
  get(kind: string, name: string): Promise<StoredResource | null>;
  /** Sorted by kind and name. */
  list(kind: string | null): Promise<readonly StoredResource[]>;
  /**
   * Creates or replaces a resource.
   *
   * @param expectedRevision What must be there: a revision, 0 for nothing, `null` for whatever.
   * @returns The revision it has, or `null` if something else was there.
   */
  put(resource: ResourceText, expectedRevision: number | null): Promise<number | null>;
  /**
   * Creates or replaces resources, all or none of them.
   *
   * @returns Their revisions, or `null` if something else than expected was in the place of one.
   */
  putAll(
    puts: readonly { readonly resource: ResourceText; readonly expectedRevision: number | null }[],
  ): Promise<readonly number[] | null>;
  /** @returns Whether it was there. */
  remove(kind: string, name: string): Promise<boolean>;
}

/** What proves that somebody is a user; never shown. */
export interface Credential {
  readonly user: string;
  readonly passwordHash: string;
  /** Base32; `null` if none is enrolled. */
  readonly totpSecret: string | null;
}

export interface Credentials {
  get(user: string): Promise<Credential | null>;
  /** Keeps a credential, and forgets where the user has logged in: it may have been somebody else. */
  put(credential: Credential): Promise<void>;
  /** Forgets a user's credential, and where the user has logged in. */
  remove(user: string): Promise<void>;
  /** Takes a TOTP step for a user. @returns `false` if this one or a later one was taken before. */
  takeTotpStep(user: string, step: number): Promise<boolean>;
}

/** Whose failed logins are counted together. */
export interface LoginAttempt {
  readonly user: string;
  readonly source: string;
}

/** What strangers cause, so it may be lost with the power. */
export interface LoginFailures {
  /** @returns Until when this pair is kept out, or `null`. */
  lockedUntil(attempt: LoginAttempt, nowMs: number): Promise<number | null>;
  /**
   * Counts a failure, and locks the pair at `limit` of them within `windowMs`.
   *
   * @returns Until when the pair is kept out from here on, or `null`.
   */
  record(attempt: LoginAttempt, nowMs: number, rule: LockoutRule): Promise<number | null>;
  clear(attempt: LoginAttempt): Promise<void>;
  /** Lifts every lockout of a user. */
  clearUser(user: string): Promise<void>;
}

/** From where users have logged in, as the host of a `Source`. It may be lost with the power. */
export interface KnownSources {
  has(attempt: LoginAttempt): Promise<boolean>;
  /** Notes a login. Of each user the latest 32 hosts are kept. */
  see(attempt: LoginAttempt, nowMs: number): Promise<void>;
  /** The hosts of all users, the latest `limit` of them, oldest first. */
  newest(limit: number): Promise<readonly string[]>;
}

export interface LockoutRule {
  readonly limit: number;
  readonly windowMs: number;
  readonly lockMs: number;
}

/** A login, or the right to one app that was drawn from it. */
export interface Session {
  /** 32 hex digits. */
  readonly id: string;
  readonly user: string;
  /** `null` if it was kept before starts were. */
  readonly startedMs: number | null;
  readonly expiresMs: number;
  /** The address of whoever began it; `null` if it was kept before addresses were. */
  readonly source: string | null;
  /** The login an app session was drawn from; `null` for a login. */
  readonly parent: string | null;
  readonly app: {
    readonly name: string;
    readonly id: string;
    readonly port: number;
    /** The leaf that the app is in; `null` for one of the cluster itself. */
    readonly cluster: string | null;
  } | null;
}

export interface Sessions {
  add(session: Session): Promise<void>;
  /** @returns The session, ended or not, or `null` if there is none, or it is forgotten. */
  get(id: string): Promise<Session | null>;
  /** @returns The session, or `null` if it, or the login it was drawn from, has ended or expired. */
  getLive(id: string, nowMs: number): Promise<Session | null>;
  /** Ends a login and what was drawn from it. @returns The ids that were live. */
  end(id: string, nowMs: number): Promise<readonly string[]>;
  endUser(user: string, nowMs: number): Promise<readonly string[]>;
  /** Logins that were ended after a time and are not forgotten yet; sorted by id. */
  endedLogins(
    sinceMs: number,
  ): Promise<readonly { readonly id: string; readonly endedMs: number }[]>;
  countLive(nowMs: number): Promise<number>;
  /** The logins in force, and what was drawn from them; sorted by user, start and id. */
  listLive(nowMs: number): Promise<readonly Session[]>;
}

/** What may be joined with a token. */
export interface TokenScope {
  readonly kinds: readonly string[];
  /** The apps an agent may name; `null` for any. */
  readonly apps: readonly string[] | null;
  /** Labels every app of the agent must carry. */
  readonly labels: Readonly<Record<string, string>>;
  /** Patterns of the public addresses that its apps may take where nobody has them; `null` for any. */
  readonly publicAddrs: readonly string[] | null;
}

export interface JoinToken {
  /** Public; the token itself is known by its hash only. */
  readonly id: string;
  readonly scope: TokenScope;
  readonly expiresMs: number;
  readonly usesLeft: number;
}

export interface JoinTokens {
  add(token: JoinToken, hash: string): Promise<void>;
  /** Sorted by expiry. */
  list(): Promise<readonly JoinToken[]>;
  remove(id: string): Promise<boolean>;
  /** @returns The token if it can be used. */
  find(hash: string, nowMs: number): Promise<JoinToken | null>;
  /** Uses a token once. @returns `false` if somebody else used it up, or it expired. */
  take(hash: string, nowMs: number): Promise<boolean>;
}

/** An agent that joined. */
export interface StoredAgent {
  readonly id: string;
  readonly name: string;
  readonly apps: readonly string[];
  readonly scope: TokenScope;
  readonly joinedMs: number;
  readonly renewedMs: number;
  /** When it was connected last; `null` if that was not kept. */
  readonly seenMs: number | null;
}

export interface Agents {
  get(id: string): Promise<StoredAgent | null>;
  list(): Promise<readonly StoredAgent[]>;
  /** Keeps an agent; when it was seen stays as it is. */
  put(agent: Omit<StoredAgent, "seenMs">): Promise<void>;
  /** Notes that agents are connected at this time. */
  see(ids: Iterable<string>, nowMs: number): Promise<void>;
  remove(id: string): Promise<boolean>;
}

/** What this cluster is known by at a root. */
export interface TrustIdentity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Another cluster, and how the two stand to each other; each cluster once. */
export interface StoredTrust {
  readonly cluster: string;
  /** What it is to this one: users of a `root` come here, users of this cluster go to a `leaf`. */
  readonly side: "root" | "leaf";
  readonly hostCaPems: readonly string[];
  /** Who signs for its users; none of a leaf's. */
  readonly userCaPems: readonly string[];
  /** What this cluster is known by at a root; `null` for a leaf. */
  readonly identity: TrustIdentity | null;
  /** What a leaf's certificates name, another one each time that it joins; `null` for a root. */
  readonly joinId: string | null;
  /** What a leaf said of itself last, JSON; `null` if it has not. */
  readonly facts: string | null;
  readonly joinedMs: number;
  /** When it was connected last; `null` if it never was. */
  readonly seenMs: number | null;
}

export interface Trusts {
  /** Sorted by name. */
  list(): Promise<readonly StoredTrust[]>;
  get(cluster: string): Promise<StoredTrust | null>;
  /** Keeps another cluster. @returns `false` if there is one of that name: it stays as it is. */
  addNew(trust: StoredTrust): Promise<boolean>;
  /**
   * Keeps what this cluster is known by at a root from here on.
   *
   * @param before The certificate that it takes the place of; PEM.
   * @returns `false` if that one is not there any more: nothing is kept.
   */
  renew(cluster: string, before: string, identity: TrustIdentity): Promise<boolean>;
  /**
   * Notes that a cluster is connected at this time. It may be lost with the power.
   *
   * @param facts What it says of itself; `null` for nothing else than before.
   */
  see(cluster: string, facts: string | null, nowMs: number): Promise<void>;
  remove(cluster: string): Promise<boolean>;
}

/** Somebody who is a user for as long as a login: who, by which provider's word, and with which rights. */
export interface StoredGuest {
  readonly sessionId: string;
  readonly user: string;
  /** The resource by which they came. */
  readonly connector: string;
  /** Who they are to the provider, whatever they are called. */
  readonly subject: string;
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, readonly string[]>>;
}

export interface Guests {
  add(guest: StoredGuest): Promise<void>;
  /** @returns Whose a login is; `null` if it is no guest's, or is forgotten. */
  get(sessionId: string): Promise<StoredGuest | null>;
  /** Those whose login has neither ended nor expired, the newest last. */
  listLive(nowMs: number): Promise<readonly StoredGuest[]>;
  /** The same of one user. */
  liveOf(user: string, nowMs: number): Promise<readonly StoredGuest[]>;
}

export interface StoredEvent {
  readonly seq: number;
  /** JSON. */
  readonly body: string;
}

export interface AuditEvents {
  /**
   * @param bodies JSON, each given its number in `seq` order.
   * @param isLasting Whether they must survive a power failure from here on.
   * @returns The first number given.
   */
  append(bodies: readonly string[], isLasting: boolean): Promise<number>;
  /** Events after a number, oldest first. */
  after(seq: number, limit: number): Promise<readonly StoredEvent[]>;
  /** The newest events, oldest first; only those before a number, if one is given. */
  newest(limit: number, before?: number): Promise<readonly StoredEvent[]>;
}

/** What a store has of which others are told when it changes. */
export type StoreTopic = "resources" | "sessions" | "agents" | "trusts" | "events";

export interface Store extends AsyncDisposable {
  readonly settings: Settings;
  readonly authorities: Authorities;
  readonly resources: Resources;
  readonly credentials: Credentials;
  readonly failures: LoginFailures;
  readonly knownSources: KnownSources;
  readonly sessions: Sessions;
  readonly guests: Guests;
  readonly tokens: JoinTokens;
  readonly agents: Agents;
  readonly trusts: Trusts;
  readonly events: AuditEvents;
  /** Forgets what has expired; what was drawn from a login not before the login: its flows may go on as long. */
  prune(nowMs: number): Promise<void>;
  /**
   * Calls back, until the signal fires, when another process has changed something: at once as a rule, after some
   * seconds at the latest. It may be called without need, and never for changes of this store itself.
   */
  watch(tell: (topics: ReadonlySet<StoreTopic>) => void, signal: AbortSignal): void;
}
