/**
 * A kind of cluster: how one is met, logged in to, followed and connected through. The rest of the client knows
 * clusters by this, by views and by profiles, and never by a wire. `own/` is vnet's own kind; a test has one in memory
 * (`tests/doubles/memory_cluster.ts`).
 *
 * @module
 */
import type { HostPort, ProxyVariables } from "../../config/mod.ts";
import type { ProxyFacts } from "../../health/mod.ts";
import type { Endpoint, IpAddress } from "../../ip/mod.ts";
import type { Connection } from "../../os/mod.ts";
import type { AppRef, ClusterView } from "../../plan/mod.ts";
import type { Profile } from "./profile.ts";

/** One kind of cluster. */
export interface ClusterDriver {
  /** What profiles of this kind say in `kind`. */
  readonly kind: string;
  /** Asks a proxy what anybody may know. @throws NetworkError, AuthError when it cannot be asked, or not trusted */
  discover(how: Approach, signal: AbortSignal): Promise<Discovery>;
  /**
   * Logs in. Nothing secret is sent before the proxy has shown that it is the right one.
   *
   * @throws AuthError `login-failed`, `ca-pin-mismatch`, `proxy-untrusted` …; NetworkError `proxy-unreachable` …
   */
  login(options: LoginRequest, signal: AbortSignal): Promise<Profile>;
  /** Begins to use a login; nothing is asked yet. @param around What there is around it; nothing of vnet's if not given */
  open(profile: Profile, around?: Surroundings): ClusterLink;
}

/** What a link may ask about the machine it runs on. */
export interface Surroundings {
  /** Whether an address is one of vnet's own: nothing that vnet itself sends may go there. */
  isOwn(address: IpAddress): boolean;
  /** Looks at the machine's addresses and routes. */
  look(): {
    hasAddress(address: IpAddress): boolean;
    /** Whether any route leads there. */
    hasWay(address: IpAddress): boolean;
  };
  /** Looks on which TCP connections something was sent again, and nothing has come back since. */
  unheard(): (source: Endpoint, destination: Endpoint) => boolean;
}

/** How a proxy is approached that there is no login for yet. */
export interface Approach {
  readonly proxy: HostPort;
  /** `sha256:…` of the cluster's host CA; `null` goes by the public authorities. */
  readonly caPin: string | null;
  /**
   * Authorities to trust beside the public ones and the machine's, PEM; if not given, those of the earlier login, if
   * there is one.
   */
  readonly authorityPems?: readonly string[];
  /** What the environment says of HTTP proxies; `null` for the way of the earlier login, directly if there is none. */
  readonly proxies: ProxyVariables | null;
}

/** What anybody may know of a cluster. */
export interface Discovery {
  readonly cluster: string;
  readonly version: string;
}

export interface LoginRequest extends Approach {
  /** Not looked at where an identity provider says who it is. */
  readonly user: string;
  /** Whether a person named that user, and does not just happen to be called so here; if not given, it is so. */
  readonly isUserNamed?: boolean;
  /** `local` for a password, or the name of an identity provider; if not given, as before, or as the cluster says. */
  readonly auth?: string | null;
  /** A wish; the cluster clamps it. `null` for its default. */
  readonly ttlMs: number | null;
  /** The login that this one takes the place of; `null` for none. */
  readonly earlier: Profile | null;
  readonly ask: LoginAsk;
}

/** What a login asks of the person at the terminal. */
interface LoginAsk {
  readonly password: () => Promise<string>;
  /** `optional`: an empty answer means there is none. */
  readonly totp: (optional: boolean) => Promise<string>;
  /** Shows where a browser is to go; absent where nobody can be shown anything. Resolves at once. */
  readonly visit?: (visit: LoginVisit) => Promise<void>;
  /** Whether the browser is on another machine. */
  readonly isRemote?: boolean;
  /** Finds out which programs of this machine may answer for the browser; any if not given. */
  readonly loopbackGuard?: () => Promise<(connection: Connection) => boolean>;
}

/** Where a person goes to log in: with a browser of this machine, or with any browser and a code. */
export type LoginVisit =
  | { readonly kind: "browser"; readonly url: string; readonly with: string }
  | {
    readonly kind: "device";
    readonly url: string;
    /** The same with the code in it; `null` for none. */
    readonly wholeUrl: string | null;
    readonly code: string;
    readonly with: string;
    readonly expiresMs: number;
  };

/** A login in use. */
export interface ClusterLink {
  /** Is told what was known of the cluster before this program began, and where else it may be asked. */
  recall(view: ClusterView): void;
  /**
   * Asks what is published to this login, at once.
   *
   * @throws AuthError with a code that ends the login (`endsLogin` of lib/refusal) when the cluster will not have it any
   * more; any other error when it could not be asked
   */
  view(signal: AbortSignal): Promise<ClusterView>;
  /**
   * Follows what is published: yields each time the cluster has spoken, the very same object while nothing is
   * different. Ends soon after the signal aborts, and may end before: it is then called again after a pause.
   *
   * @throws as `view`; to be called again after a pause.
   */
  watch(signal: AbortSignal): AsyncIterable<ClusterView>;
  /**
   * Gets the right to connect to one port of an app.
   *
   * @throws AuthError when the cluster refuses: `access-denied`, `mfa-required` …; NetworkError when it cannot be asked
   */
  right(request: RightRequest, signal: AbortSignal): Promise<Right>;
  /** Opens a connection with a right. @throws AuthError, NetworkError, ProtocolError with a code of `lib/refusal` */
  open(request: OpenRequest, signal: AbortSignal): Promise<Flow>;
  /**
   * The network is another: what is known of ways is forgotten, connections that lead nowhere any more are ended, and
   * who waits for news asks anew.
   */
  networkChanged(): void;
  /** Looks whether something else answers in the cluster's place, as a network does that wants a sign-in first. */
  findStranger(signal: AbortSignal): Promise<Stranger | null>;
  /** Tries the way to the cluster, for `vnet doctor`. Never throws but for the signal. */
  reach(nowMs: () => number, signal: AbortSignal): Promise<ProxyFacts["reached"]>;
  /** Tells the cluster that the login is over. @throws NetworkError when it cannot be told */
  logout(signal: AbortSignal): Promise<void>;
  /** Asks nothing more. Open connections go on. @returns Settles when the last of them has ended. */
  retire(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

/** Who answers in a cluster's place. */
export interface Stranger {
  /** Where people are sent, if that is said. */
  readonly host: string | null;
}

export interface RightRequest {
  readonly target: AppRef;
  readonly port: number;
  /** Shown where an app wants a second factor for each session; `null` for none. */
  readonly proof: SessionProof | null;
}

/** A second factor's answer. */
export interface SessionProof {
  readonly totpCode: string;
}

/** What the cluster lets a login do. What is in it is the driver's own business. */
export interface Right {
  readonly expiresMs: number;
}

export interface OpenRequest {
  readonly right: Right;
  readonly target: AppRef;
  readonly port: number;
}

/** An open connection to an app, before anything went through it. */
export interface Flow {
  /** Copies both ways, each half closed on its own, until both are done. Ends both. */
  splice(conn: FlowConn, signal: AbortSignal): Promise<FlowSummary>;
  /** Ends it unused. */
  abort(): void;
  /** What went through it so far, where somebody counts. */
  readonly sentBytes?: number;
  readonly receivedBytes?: number;
}

/** A program's own connection. */
export interface FlowConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** What went through a connection, and why it ended. */
export interface FlowSummary {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly reason: string;
  /** Why the cluster cut it; absent if it did not, or did not say. */
  readonly code?: string;
}
