/**
 * What only root may ask of the machine: links, routes, the resolver's settings, and their undoing.
 *
 * @module
 */
import type { DnsMode } from "../dns/mod.ts";
import type { Endpoint, IpAddress, Prefix } from "../ip/mod.ts";
import type {
  Descriptor,
  MessageSocket,
  NetworkWatch,
  Resolver,
  ResolverChoice,
  Routing,
  SocketOwner,
  Sockets,
} from "./machine.ts";
import type { Processes } from "./processes.ts";

/** What the privileged helper asks of its machine. */
export interface RootMachine {
  readonly routing: Routing;
  readonly links: Links;
  readonly sockets: RootSockets;
  readonly resolver: RootResolver;
  readonly journal: Journal;
  readonly folders: RootFolders;
  readonly processes: Processes;
  /**
   * Asks whoever decides about rights on this machine, who may ask the user for a password.
   *
   * @returns Whether the process on the other end of a socket may; `null` when nobody decides, or not in time.
   */
  isAuthorized(peer: PeerCredentials, action: string, timeoutMs: number): Promise<boolean | null>;
}

/** Links, their addresses, and the routes into them; `Routing` reads what is changed here. */
export interface Links {
  /**
   * Creates a TUN device, with offloads if they are wished for and the kernel has them. It is down and has no address
   * yet; a name with `%d` gets the first number that is free.
   *
   * @throws OsError `tun-busy`, `tun-open-denied`, `tun-missing`, `tun-failed`
   */
  openTun(wanted: { readonly name: string; readonly vnetHeader?: boolean }): Tun;
  /** Brings a link up without an fe80:: address; MTU 0 leaves the MTU alone. @throws OsError `link-unknown` */
  up(ifindex: number, mtuBytes: number): void;
  /** @throws OsError `link-unknown` */
  down(ifindex: number): void;
  /** @throws OsError `link-unknown` */
  delete(ifindex: number): void;
  /**
   * Keeps what comes out of a link in its bounds: from addresses that are routed into it, and forwarded only if that is
   * wished for.
   *
   * @returns What could not be set; empty if all could.
   */
  confine(name: string, options?: { readonly forwarding?: boolean }): readonly string[];
  /**
   * Has the machine drop what comes out of a link with a source that is not allowed, whoever holds it open; it replaces
   * what was said before.
   *
   * @throws OsError `link-failed`, also where the machine has no such rules
   */
  limitSources(ifindex: number, sources: LinkSources): void;
  /** @throws OsError `address-failed`; errno `EACCES` or `EOPNOTSUPP` where IPv6 is switched off */
  addAddress(ifindex: number, address: IpAddress, prefixLength: number): void;
  /** @returns False when there is none. */
  removeAddress(ifindex: number, address: IpAddress, prefixLength: number): boolean;
  /**
   * Adds a route into a link. The congestion control is a wish.
   *
   * @returns Whether the wish was granted; true without one.
   * @throws OsError `route-exists` if the identical route is there, `route-failed` else
   */
  addRoute(
    ifindex: number,
    prefix: Prefix,
    options?: { readonly source?: IpAddress; readonly congestion?: string },
  ): boolean;
  /** @returns False when there is none. */
  removeRoute(ifindex: number, prefix: Prefix): boolean;
  /** As the routing's. @throws OsError `netlink-failed` */
  watch(): NetworkWatch;
}

/** What may be the source of a packet that comes out of a link. */
export interface LinkSources {
  readonly allowed: readonly Prefix[];
  /** The link's own addresses: whoever is on the other side has others. */
  readonly own: readonly IpAddress[];
  /** The one address of its family that may be reached; any if there is none of the family. */
  readonly onlyTo?: readonly IpAddress[];
}

/** An open TUN device; whoever holds it closes `fd`, which removes the device. */
export interface Tun {
  readonly fd: Descriptor;
  readonly name: string;
  readonly ifindex: number;
  /** Whether packets carry a virtio_net_hdr: checksum and segmentation offload. */
  readonly vnetHeader: boolean;
}

/** Sockets with what root adds: ports below 1024, raw sockets, and power over those of others. */
export interface RootSockets extends Sockets {
  /** Takes over a socket of messages whose peer is not trusted; no program this process starts gets it in turn. */
  inheritPeer(descriptor: Descriptor): PeerSocket;
  /** Binds a UDP socket to give away. @throws OsError errno `EADDRINUSE` … */
  listenUdp(endpoint: Endpoint): Descriptor;
  /** Opens the way on which released SYNs reach this host; it carries nothing else. @throws OsError `raw-denied` */
  openRaw(family: 4 | 6, ifindex: number): Descriptor;
  /**
   * Lets a socket and what it accepts see only packets that came in on some links, and from one address if given. The
   * congestion control is a wish, `cubic` if not given.
   *
   * @throws OsError `listener-guard-failed`
   */
  guard(descriptor: Descriptor, ifindexes: readonly number[], options?: GuardOptions): void;
  /** @returns The file of the program that has a socket; `null` if none was found before the signal aborts. */
  programOf(owner: SocketOwner, signal: AbortSignal): Promise<string | null>;
  /** Aborts every TCP connection to a prefix, and disconnects UDP sockets. @returns How many. @throws OsError `sockets-destroy-failed` */
  destroyTo(prefix: Prefix): number;
}

/** What a socket is to be guarded by, beside links. */
export interface GuardOptions {
  readonly source?: IpAddress;
  readonly congestion?: string;
}

/**
 * A socket of messages whose peer is known and not trusted: to let go of a descriptor can take for ever, so none that
 * the peer sends gets into this process.
 */
export interface PeerSocket extends Pick<MessageSocket, "send">, AsyncDisposable {
  /** The kernel's word on who is on the other end. */
  peer(): PeerCredentials;
  /**
   * Waits for a message; one that carries descriptors stays the first in line.
   *
   * @returns The message, or `null` when the peer has gone or this socket was closed.
   */
  receive(signal?: AbortSignal): Promise<PeerMessage | null>;
  /**
   * Has another process take the first message, and guard the listener in it as `RootSockets.guard` does.
   *
   * @throws OsError `listener-guard-failed`, also when it carries another thing; the signal's reason
   */
  guardCarried(
    ifindexes: readonly number[],
    options: GuardOptions & { readonly signal?: AbortSignal },
  ): Promise<void>;
  /** Ends the connection; what the peer has sent and nobody took cannot hold this up. */
  close(): Promise<void>;
}

/** A message of a peer that is not trusted. */
export interface PeerMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it carries descriptors, and so is still the first in line. */
  readonly carries: boolean;
}

/** Who connected, as the kernel wrote it down at that moment. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** The machine's resolver, to look at and to change. */
export interface RootResolver extends Resolver {
  /** Whether a back end can be given an address only, and no port. */
  needsPort53(backend: string): boolean;
  /** Opens the journal and undoes what a crash left behind. @throws OsError `dns-journal-unwritable` */
  open(options: { readonly journalDir: string }): Promise<OsDns>;
}

/** The operating system's resolver, pointed at our DNS server, and back: one thing at a time. */
export interface OsDns extends AsyncDisposable {
  /** What `open` had to repair, line by line. */
  readonly repaired: readonly string[];
  /** @throws OsError `resolved-missing`, `resolv-conf-read-only` when a forced mode cannot work */
  detect(mode: DnsMode): Promise<ResolverChoice>;
  /**
   * Puts a request in force. With the same mode again it changes what differs; when the first one fails, nothing of it
   * stays.
   *
   * @throws OsError `dns-in-use`, `dns-server-port`, `dns-service-failed`
   */
  apply(request: OsDnsRequest): Promise<OsDnsApplied>;
  /** @returns What was undone, line by line; empty when nothing was in force. */
  revert(): Promise<readonly string[]>;
  /** The nameservers that no file of the host shows while a vnet stands in their place, this one or another. */
  hidden(): Promise<readonly IpAddress[]>;
  /** Follows what is in force, and puts it back when somebody undoes it; settles when the signal aborts. */
  watch(onChange: (change: OsDnsChange) => void, signal: AbortSignal): Promise<void>;
  /** Has `watch` look at once, as after a change of the host's network. */
  look(): void;
  /** Reverts, and gives the journal up. */
  close(): Promise<void>;
}

export interface OsDnsRequest {
  /** The TUN: up, with carrier and an address, or systemd-resolved does not count it. */
  readonly link: string;
  readonly ifindex: number;
  /** Where our DNS server listens; port 53 where `needsPort53` says so. */
  readonly server: Endpoint;
  /** Zones we answer for, lower case, without dots at either end. */
  readonly zones: readonly string[];
  readonly mode: DnsMode;
  /**
   * Whether somebody puts the host's own settings back at once should this process be killed. Then no other
   * nameserver is kept beside ours: programs that ask all of them in parallel would take the others' word.
   */
  readonly guarded?: boolean;
}

/** Resolvers to forward to, never our own, never empty. */
export interface Upstreams {
  readonly upstreams: readonly Endpoint[];
  /** The host's search list, in order. */
  readonly search: readonly string[];
  readonly warnings: readonly string[];
}

/** What `apply` did. */
export interface OsDnsApplied extends Upstreams {
  readonly backend: string;
  readonly why: readonly string[];
  /** What was done, line by line. */
  readonly steps: readonly string[];
}

/** What `watch` tells. */
export type OsDnsChange =
  /** The host's resolvers or search list are different ones. */
  | { readonly kind: "upstreams" } & Upstreams
  /** Someone undid our settings, and they are back. */
  | { readonly kind: "reapplied"; readonly why: string }
  /** Something is not as it should be, and stays so for now. */
  | { readonly kind: "warning"; readonly message: string };

/** What has to be undone after a crash. Every act throws OsError `folder-untrusted` unless the directory is root's own. */
export interface Journal {
  /** Makes this process's record of what leads into its link. @throws OsError `dns-journal-unwritable` */
  openRecord(directory: string): LinkRecord;
  /** Ends the connections that killed vnets left. @returns What was done, or why not, line by line. */
  endConnections(directory: string): readonly string[];
  /**
   * Undoes all that a killed vnet left. Idempotent; what a living vnet has stays.
   *
   * @returns What was done, line by line; empty when there was nothing to do.
   * @throws OsError `dns-journal-unwritable`, `resolv-conf-read-only`
   */
  repair(directory: string): Promise<readonly string[]>;
  /** Removes the journal's files. @returns Their paths, or `null` when they are in use or still needed. */
  forget(directory: string): Promise<readonly string[] | null>;
}

/** Folders that root works in by their names. */
export interface RootFolders {
  /**
   * Finds the folder that a path names, whether it is there or not.
   *
   * @returns Its path without links.
   * @throws OsError `folder-untrusted` if somebody other than root, or this user, can change what is there
   */
  own(path: string): string;
  /**
   * Makes a folder in one of root's own and gives it away; one that is there already has to be that user's.
   *
   * @throws OsError `folder-untrusted`
   */
  makeFor(path: string, owner: { readonly uid: number; readonly gid: number }): void;
}

/** One process's record, there as long as something leads into its link. */
export interface LinkRecord extends Disposable {
  /** Puts down what leads into the link; it is on the disk when this returns. */
  write(ifindex: number, prefixes: readonly Prefix[]): void;
}
