/**
 * What can be seen of this machine without changing it, for `vnet doctor`.
 *
 * @module
 */
import type { HostsSource } from "../dns/mod.ts";
import type {
  JournalFacts,
  Measured,
  NetworkFacts,
  ResolvConfFacts,
  ResolvedLinkFacts,
  Way,
} from "../health/mod.ts";
import type { IpAddress, Prefix } from "../ip/mod.ts";

/** Looks, and does nothing. No root is needed; what only root can see throws, or is told as unknown. */
export interface HostFacts {
  /** Whether this process could change the network. */
  netAdmin(): Promise<Measured<boolean>>;
  /** Opens the TUN driver and closes it again; makes no device. @returns The errno's name, or `null`. */
  tunDevice(): Promise<string | null>;
  /** @throws OsError `shim-missing` where the shim was not built */
  network(): NetworkFacts;
  /** By which link a user's packets leave for some addresses, policy rules and all. */
  ways(
    targets: readonly WayTarget[],
    options: { readonly uid: number; readonly signal: AbortSignal },
  ): Promise<Measured<readonly Way[]>>;
  /** The remote ends of this machine's TCP connections that lie in some ranges. */
  connectionsIn(ranges: readonly Prefix[]): readonly IpAddress[];
  /** Every process there is, as far as it may be looked at. */
  commandLines(): readonly CommandLine[];
  /** Whether a process was stopped (SIGSTOP). */
  isStopped(pid: number): boolean;
  resolvConf(): Promise<ResolvConfFacts>;
  /** The `hosts` line of nsswitch.conf; `null` where there is none, as on musl. */
  nssHosts(): Promise<readonly HostsSource[] | null>;
  /** Whether there is something to undo, and whether a living process will. */
  journal(directory: string): Promise<JournalFacts>;
  /** What systemd-resolved has for a link; a word where it is to blame that there is nothing. */
  resolvedLink(link: string): Promise<Measured<ResolvedLinkFacts | "absent" | "silent">>;
  /** The system's own name for itself; `null` where it has none. */
  distribution(): Promise<string | null>;
  /** What kind of container or virtual Linux this is; `null` as far as none shows. */
  container(): Promise<string | null>;
}

/** An address, and whose it is, for people. */
export interface WayTarget {
  readonly target: IpAddress;
  readonly what: string;
}

/** A process with the words it was started with. */
export interface CommandLine {
  readonly pid: number;
  readonly words: readonly string[];
}
