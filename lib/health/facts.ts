/**
 * What a shell measured on this machine, for the checks to judge. Nothing here was decided yet; what could not be
 * measured says why.
 *
 * @module
 */
import type { ContainerPolicy, PortRange } from "../config/mod.ts";
import type { HostsSource } from "../dns/mod.ts";
import type { Endpoint, IpAddress, Prefix } from "../ip/mod.ts";
import type { FindingCode, Told } from "../refusal/mod.ts";

/** A value, or why there is none. */
export type Measured<T> =
  | { readonly kind: "measured"; readonly value: T }
  | { readonly kind: "unknown"; readonly reason: string };

/** Everything the checks look at. */
export interface Facts {
  readonly nowMs: number;
  readonly program: ProgramFacts;
  /** Whether this process could change the network. */
  readonly netAdmin: Measured<boolean>;
  /** The errno's name when /dev/net/tun cannot be opened, `null` when it can. */
  readonly tunDevice: Measured<string | null>;
  readonly daemon: Measured<DaemonFacts>;
  readonly processes: Measured<ProcessFacts>;
  /** What vnet answers for, or would when it came up. */
  readonly wanted: Measured<WantedFacts>;
  readonly network: Measured<NetworkFacts>;
  /** What the kernel says about the way to some addresses of the range. */
  readonly rangeWays: Measured<readonly Way[]>;
  /** The same about the proxies and the upstream resolvers. */
  readonly outerWays: Measured<readonly Way[]>;
  /** The remote end of every TCP connection into the range; told only while no daemon runs. */
  readonly connectionsInRange: Measured<readonly IpAddress[]>;
  readonly resolvConf: Measured<ResolvConfFacts>;
  /** The `hosts` line of nsswitch.conf; `null` where there is none. */
  readonly nssHosts: Measured<readonly HostsSource[] | null>;
  /** Which DNS back end fits this host. */
  readonly dnsChoice: Measured<DnsChoiceFacts>;
  readonly journal: Measured<JournalFacts>;
  /** systemd-resolved's settings of our link; told only where it is the back end. */
  readonly resolvedLink: Measured<ResolvedLinkFacts | "absent" | "silent">;
  readonly listener: Measured<ListenerFacts>;
  readonly upstreams: Measured<readonly AskedServer[]>;
  readonly zones: Measured<readonly ZoneFacts[]>;
  readonly profileFiles: Measured<readonly FileFacts[]>;
  readonly profiles: Measured<readonly ProfileFacts[]>;
  readonly proxies: Measured<readonly ProxyFacts[]>;
  /** About the one target of `--name`; `null` when none was asked for. */
  readonly target: Measured<TargetFacts> | null;
}

interface ProgramFacts {
  readonly version: string;
  readonly uid: number;
  /** The account vnet acts for. */
  readonly owner: { readonly uid: number; readonly name: string };
}

export type DaemonFacts =
  | { readonly kind: "running"; readonly status: DaemonStatus }
  | {
    readonly kind: "down";
    /** Its control socket is still there, and nobody listens on it. */
    readonly crashed: boolean;
    /** Why it ended, if that was the last thing it did; `null` when it was told to end. */
    readonly lastError: string | null;
  }
  /** Somebody listens, but we may not ask, or get no answer we understand. */
  | { readonly kind: "silent"; readonly reason: string };

/** What a running daemon says of itself. */
export interface DaemonStatus {
  readonly state: "starting" | "ready" | "degraded" | "stopping";
  readonly version: string;
  readonly pid: number;
  readonly uid: number;
  readonly uptimeMs: number;
  readonly link: LinkStatus | null;
  readonly dns: DnsStatus | null;
  readonly sessions: readonly SessionStatus[];
  readonly findings: readonly DaemonFinding[];
  /** Who may connect besides the owner and root; `null`: the daemon does not say. */
  readonly access: AccessStatus | null;
  /** Connections refused for whose they were, most first. */
  readonly refusedOwners: readonly { readonly uid: number | null; readonly total: number }[];
  /** Newest first. */
  readonly refusals: readonly Refusal[];
}

interface AccessStatus {
  readonly sharedWith: readonly number[] | "all";
  readonly containers: ContainerPolicy;
}

export interface LinkStatus {
  readonly name: string;
  readonly ipv4: IpAddress;
  readonly ipv6: IpAddress | null;
  readonly ranges: readonly Prefix[];
}

export interface DnsStatus {
  readonly backend: string;
  readonly why: readonly string[];
  readonly server: Endpoint;
  readonly zones: readonly string[];
  readonly upstreams: readonly Endpoint[];
}

interface SessionStatus {
  readonly profile: string;
  readonly state: "active" | "expired" | "unreachable";
  /** Why it is expired, as a code; `null` if it is not, or an older daemon does not say. */
  readonly reason?: string | null;
  readonly error: string | null;
}

/** Something the daemon wants a person to know. */
export interface DaemonFinding {
  readonly code: Told<FindingCode>;
  readonly message: string;
  readonly hint: string | null;
}

/** One refused connection. */
interface Refusal {
  readonly at: string;
  readonly name: string;
  readonly port: number;
  readonly code: string;
  readonly message: string;
}

/** Process ids of vnet on this machine, as far as they can be seen. */
export interface ProcessFacts {
  readonly helpers: readonly number[];
  /** Of these, those that were stopped (SIGSTOP). */
  readonly stoppedHelpers: readonly number[];
  /** Shells that repair the machine should their helper be killed. */
  readonly guards: readonly number[];
  /** Helpers that the service manager started: it repairs after them, and they need no guard. */
  readonly serviced: readonly number[];
  /** Repairs under way. */
  readonly repairs: readonly number[];
}

export interface WantedFacts {
  readonly source: "daemon" | "saved-state";
  readonly ranges: readonly Prefix[];
  readonly zones: readonly string[];
}

export interface NetworkFacts {
  readonly links: readonly LinkFacts[];
  readonly addresses: readonly {
    readonly address: IpAddress;
    readonly prefixLength: number;
    readonly ifindex: number;
  }[];
  readonly routes: readonly RouteFacts[];
}

export interface LinkFacts {
  readonly ifindex: number;
  readonly name: string;
  /** `null` where the kernel does not show it to us. */
  readonly isUp: boolean | null;
  readonly mtu: number | null;
}

export interface RouteFacts {
  readonly prefix: Prefix;
  readonly table: number;
  /** RTN_* of rtnetlink(7). */
  readonly type: number;
  /** 0 for a route that leads into no link. */
  readonly ifindex: number;
  readonly metric: number;
}

/** The link that packets to an address leave by. */
export interface Way {
  readonly target: IpAddress;
  /** Whose address it is, for people. */
  readonly what: string;
  /** `null`: there is no way. */
  readonly link: string | null;
}

export interface ResolvConfFacts {
  readonly path: string;
  readonly kind: "missing" | "file" | "symlink" | "other";
  /** It begins with our header. */
  readonly isOurs: boolean;
  /** Who says so in the comments on top. */
  readonly owner: string | null;
  readonly nameservers: readonly string[];
  readonly modifiedMs: number | null;
}

export interface DnsChoiceFacts {
  readonly backend: string;
  readonly why: readonly string[];
  readonly warnings: readonly string[];
}

/** The list of what must be undone after a crash. */
export interface JournalFacts {
  readonly path: string;
  readonly hasEntry: boolean;
  /** A living process holds it. `null`: cannot be told. */
  readonly isOwned: boolean | null;
}

/** @see org.freedesktop.resolve1(5), Link Object */
export interface ResolvedLinkFacts {
  readonly domains: readonly { readonly name: string; readonly routeOnly: boolean }[];
  /** The domains of other links, and who has them. */
  readonly elsewhere: readonly { readonly name: string; readonly link: string }[];
  readonly servers: readonly Endpoint[];
  readonly defaultRoute: boolean | null;
  readonly dnssec: string | null;
  readonly dnsOverTls: string | null;
}

/** What came of asking for a name. */
export type Outcome =
  | { readonly kind: "addresses"; readonly addresses: readonly IpAddress[] }
  /** An answer without an address: `NXDOMAIN`, `SERVFAIL`, `ENOTFOUND`, … */
  | { readonly kind: "negative"; readonly code: string }
  | { readonly kind: "silent"; readonly afterMs: number }
  | { readonly kind: "unreachable"; readonly reason: string };

/** vnet's own DNS server, asked directly. */
export interface ListenerFacts {
  readonly server: Endpoint;
  readonly udp: Outcome;
  readonly tcp: Outcome;
}

export interface AskedServer {
  /** As it is written in the settings. */
  readonly server: string;
  readonly outcome: Outcome;
  readonly elapsedMs: number;
}

/** A probe name of one zone, asked for as programs do. */
export interface ZoneFacts {
  readonly zone: string;
  readonly probe: string;
  readonly system: Outcome;
  /** Each nameserver of resolv.conf, in its order. */
  readonly nameservers: readonly AskedServer[];
}

export interface FileFacts {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
}

export interface ProfileFacts {
  readonly name: string;
  readonly cluster: string;
  readonly user: string;
  readonly expiresMs: number;
}

export interface ProxyFacts {
  readonly profile: string;
  readonly addresses: Outcome;
  readonly reached:
    & (
      | {
        readonly kind: "reached";
        readonly elapsedMs: number;
        readonly clockAheadMs: number | null;
      }
      | { readonly kind: "failed"; readonly code: string; readonly message: string }
    )
    & {
      /** How the login goes there, and what decided it when it was made: `through the HTTP proxy …, by HTTPS_PROXY`. */
      readonly way?: string;
    };
}

/** One name a person wants to reach, step by step. */
export interface TargetFacts {
  readonly host: string;
  readonly port: number | null;
  readonly verdict: Measured<{
    readonly kind: string;
    readonly rule: string;
    readonly reason: string;
    readonly addresses: readonly IpAddress[];
    readonly source: "daemon" | "saved-state";
    /** Whose the name is, and by what right; `null` where no app has it. */
    readonly owner:
      | {
        readonly app: string;
        readonly cluster: string;
        readonly proxy: string;
        readonly zone: string;
        readonly grant: "own" | "txt" | "user" | "admin";
      }
      | null;
    /** Apps that claim the name and do not have it. */
    readonly claims: readonly {
      readonly app: string;
      readonly cluster: string;
      readonly proxy: string;
      readonly why: string;
    }[];
  }>;
  readonly system: Outcome;
  /** The app of that name; `null` when there is none. */
  readonly app: Measured<
    {
      readonly name: string;
      readonly cluster: string;
      readonly ports: readonly PortRange[] | null;
    } | null
  >;
  readonly way: Measured<Way>;
}
