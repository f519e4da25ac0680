/**
 * The machine as ports: what the rest of vnet asks of the operating system, whichever it is. An implementation is a
 * folder beside this file (`linux/`); a test has one in memory (`tests/doubles/machine.ts`).
 *
 * @module
 */
import type { Duplex } from "node:stream";
import type { DnsMode } from "../dns/mod.ts";
import type { Endpoint, IpAddress, Ipv4, Ipv6, Prefix } from "../ip/mod.ts";
import type { DatagramBatch } from "./datagram_batch.ts";
import type { Desktop } from "./desktop.ts";

/** A file descriptor of this process. Who holds one closes it, unless it says so otherwise. */
export type Descriptor = number;

/** What an unprivileged process asks of its machine. */
export interface Machine {
  readonly routing: Routing;
  readonly sockets: Sockets;
  readonly packets: Packets;
  readonly resolver: Resolver;
  readonly desktop: Desktop;
  readonly clocks: Clocks;
}

/** The machine's clocks. */
export interface Clocks {
  read(): ClockReading;
}

/** What the clocks show at one moment, each in ms from a beginning of its own. */
export interface ClockReading {
  /** Since 1970; set by people and by servers. */
  readonly wallMs: number;
  /** While the machine is awake. */
  readonly awakeMs: number;
  /** The same with the time that it slept; `null` where that cannot be told. */
  readonly bootMs: number | null;
}

/** The kernel's links, addresses and routes, as they are. */
export interface Routing {
  /** @throws OsError errno `ENODEV` when there is no such link. */
  linkIndex(name: string): number;
  /** @throws OsError errno `ENODEV` or `ENXIO` when there is no such link. */
  linkName(ifindex: number): string;
  routes(): readonly Route[];
  addresses(): readonly InterfaceAddress[];
  /** Addresses in use that neither show; one may be there often. */
  occupants(): readonly Occupant[];
  /** Whether a link that is made now gets IPv6: a kernel may lack it, an administrator may switch it off. */
  hasIpv6(): Promise<boolean>;
  /** Begins to listen for changes of links, addresses and routes, by anybody. @throws OsError `netlink-failed` */
  watch(): NetworkWatch;
  /** Makes a link's confinement readable, as one line of what `up` does. */
  confinementOf(link: string, options: { readonly forwarding: boolean }): string;
}

/** Changes of links, addresses and routes. */
export interface NetworkWatch extends AsyncDisposable {
  /**
   * Waits until something has changed since the last time.
   *
   * @returns False once closed.
   * @throws The signal's reason when it is aborted; OsError `netlink-failed`.
   */
  next(signal?: AbortSignal): Promise<boolean>;
}

export interface Route {
  readonly prefix: Prefix;
  readonly table: number;
  /** RTN_* of rtnetlink(7). */
  readonly type: number;
  /** 0 for a route that leads into no link. */
  readonly ifindex: number;
  readonly metric: number;
}

export interface InterfaceAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly ifindex: number;
}

/** An address that somebody of this machine uses, wherever it lies. */
export interface Occupant {
  readonly address: IpAddress;
  /** A `connection` is either end of a live TCP connection or of a connected UDP socket. */
  readonly kind: "gateway" | "nameserver" | "connection";
}

/** Sockets beyond what the runtime has. */
export interface Sockets {
  close(descriptor: Descriptor): void;
  /** Makes two sockets of messages that are connected to each other: one to keep, one for another process. */
  messagePair(): readonly [Descriptor, Descriptor];
  /** Takes over one end of a pair. */
  adoptMessages(descriptor: Descriptor): MessageSocket;
  /** Connects to a listening socket of messages. @throws OsError `socket-connect-failed` */
  connectMessages(path: string): MessageSocket;
  /** Takes over a socket of messages that this process was started with; no program it starts gets it in turn. */
  inheritMessages(descriptor: Descriptor): MessageSocket;
  /** Listens for TCP; port 0 takes any that is free. @throws OsError errno `EADDRINUSE` … */
  listenTcp(endpoint: Endpoint): Descriptor;
  /** Where a socket is bound. */
  localEndpoint(descriptor: Descriptor): Endpoint;
  /** Binds a UDP socket. @throws OsError errno `EADDRINUSE` … */
  bindUdp(endpoint: Endpoint): DatagramSocket;
  /** Takes over a bound UDP socket. */
  adoptUdp(descriptor: Descriptor): DatagramSocket;
  /** Makes an empty table of replies for datagram sockets to give by themselves. */
  answers(): AnswerStore;
  /**
   * Accepts connections on a listening descriptor, which becomes the server's to close. Each half of a stream is closed
   * on its own; to close the server is to accept no more, and to wait until the last stream has ended.
   */
  acceptStreams(
    descriptor: Descriptor,
    onStream: (stream: Duplex) => void,
  ): Promise<{ close(): Promise<void> }>;
  /** @returns Whose connection this is, as its own process sees it; `null` if it is no local socket's. */
  ownerOf(connection: Connection): SocketOwner | null;
  /**
   * Finds the processes that have sockets of this process's own user, as far as they may be looked into.
   *
   * @param likely Processes to look at before all others.
   * @returns By inode those found before the signal fired.
   */
  holdersOf(
    inodes: readonly number[],
    likely: readonly number[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, SocketHolder>>;
  /** The TCP connections of this machine on which something was sent again, and nothing has come back since. */
  unheard(): readonly Connection[];
  /** Listens on an address of the link for the connections that the packet thread lets through, on a free port. */
  listenFlows(address: IpAddress): FlowListener;
  /** Takes over such a listener that another process opened, maybe in another network. */
  adoptFlows(descriptor: Descriptor): Promise<FlowListener>;
  /** Opens what finds the owners of connections in this network, for a packet path in another. */
  openDiag(): Descriptor;
}

/** A connection as its own process sees it. */
export interface Connection {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The link it goes into; any if not given. */
  readonly ifindex?: number;
}

/** Whose a socket is. */
export interface SocketOwner {
  readonly uid: number;
  readonly inode: number;
}

/** The process that has a socket. */
export interface SocketHolder {
  readonly pid: number;
  /** Its file, or its name where that cannot be read; nothing of what it was started with. */
  readonly program: string | null;
}

/** A connected pair's end: whole messages, with descriptors beside the bytes. */
export interface MessageSocket extends AsyncDisposable {
  /** @throws OsError errno `EPIPE` when the peer has gone. */
  send(
    bytes: Uint8Array<ArrayBuffer>,
    descriptors?: readonly Descriptor[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** @returns The next message, or `null` when the peer has gone or this socket was closed. */
  receive(signal?: AbortSignal): Promise<ReceivedMessage | null>;
  close(): Promise<void>;
}

/** One message; its descriptors are the receiver's to close. */
export interface ReceivedMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly fds: readonly Descriptor[];
}

/** A UDP socket that reads and writes in batches. */
export interface DatagramSocket extends AsyncDisposable {
  /** @returns How many datagrams are there right now, at most the batch's size. */
  tryReceive(batch: DatagramBatch): number;
  /** Waits for datagrams. @returns How many; 0 once the socket is closed. */
  receive(batch: DatagramBatch, signal?: AbortSignal): Promise<number>;
  /** @returns How many the kernel took. */
  trySend(batch: DatagramBatch, count?: number): number;
  /** Has queries that the table knows be answered without a word. To be called before anything is received. */
  answerFrom(known: AnswerStore): void;
  close(): Promise<void>;
}

/** Replies by their queries, byte for byte; only the first two bytes, the id, may differ. Bounded. */
export interface AnswerStore extends Disposable {
  /** The system's name for it. */
  readonly handle: bigint;
  /** How many queries were answered from here. */
  readonly given: number;
  /** Keeps a reply if it is not too long; the bytes are copied. */
  put(query: Uint8Array, reply: Uint8Array): void;
  clear(): void;
}

/** A connection's local half. */
export interface LocalConn {
  readonly remote: Endpoint;
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** Where connections end that the packet thread lets through. */
export interface FlowListener {
  readonly port: number;
  /** The listening socket, for the helper to guard; it stays the listener's. */
  readonly descriptor: Descriptor;
  /** @throws Deno.errors.BadResource once closed. */
  accept(): Promise<LocalConn>;
  /** May be called twice. */
  close(): void;
}

/** Where packets of the virtual ranges are held, answered and let through. */
export interface Packets {
  /**
   * Starts on a TUN. On success the descriptors belong to the path, on failure still to the caller.
   *
   * @throws OsError `datapath-failed`
   */
  start(options: DatapathOptions): PacketPath;
}

/** What a packet path is made of. */
export interface DatapathOptions {
  /** The TUN device and raw sockets; once `start` has returned they are the datapath's to close. */
  readonly tunFd: Descriptor;
  readonly vnetHeader: boolean;
  readonly raw4Fd: Descriptor;
  /** `null` without IPv6. */
  readonly raw6Fd: Descriptor | null;
  /** What finds owners where the device is in another network; stays the caller's. */
  readonly diagFd?: Descriptor | null;
  /** Index of the TUN device. */
  readonly ifindex: number;
  readonly self4: Ipv4;
  /** The address connections seem to come from at the listener. */
  readonly peer4: Ipv4;
  /** Where leases may lie; at most 16. */
  readonly ranges4: readonly Prefix[];
  readonly self6: Ipv6 | null;
  readonly peer6: Ipv6 | null;
  /** A /64 whose low 32 bits are the IPv4 address. */
  readonly prefix6: Prefix | null;
  /** Where this process listens on `self4`, and on `self6` unless `listenPort6` is given. */
  readonly listenPort: number;
  readonly listenPort6?: number;
  readonly maxHeld?: number;
  readonly heldTimeoutMs?: number;
  /** Refuse connections no local socket owns; on unless set to false. */
  readonly requireOwner?: boolean;
}

/** A held SYN, or the flow that came of one. */
export interface SynEvent {
  /** Never used twice, though ports and addresses are. */
  readonly id: bigint;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** Who connects; `null` if no local socket has these addresses. */
  readonly uid: number | null;
  /** Inode of that socket, to find its process; 0 without one. */
  readonly inode: number;
}

/** Why a connection is rejected, as the client's `connect` will report it. */
export type RejectReason =
  | "network-unreachable"
  | "host-unreachable"
  | "port-unreachable"
  | "admin-prohibited";

/** A running packet path. */
export interface PacketPath extends AsyncDisposable {
  /**
   * The held SYNs, each once, in batches as they come. Only one loop at a time.
   *
   * @throws OsError `tun-lost` when the device went away; the signal's reason when it is aborted.
   */
  events(signal?: AbortSignal): AsyncIterable<readonly SynEvent[]>;
  /** Lets the handshake of a held SYN go on at the listener. False if it is not held any more. */
  release(id: bigint): boolean;
  /** Answers a held SYN with RST: connection refused. False if it is not held any more. */
  refuse(id: bigint): boolean;
  /** Answers a held SYN with ICMP unreachable. False if it is not held any more. */
  reject(id: bigint, reason: RejectReason): boolean;
  /** What an accepted connection is about, by its remote port; `null` if it is none that was let through. */
  flowOf(family: 4 | 6, port: number): SynEvent | null;
  /** Sets the IPv4 ranges to just these; leases outside them end, existing connections stay. */
  setRanges(ranges: readonly Prefix[]): void;
  /** Says which addresses answer. The IPv6 twins follow; existing connections stay. */
  setLeases(adds: readonly Ipv4[], removes: readonly Ipv4[]): void;
  /** Counters by name, in camel case. */
  stats(): Readonly<Record<string, number>>;
  /** Refuses what is held and closes the descriptors, which removes the TUN device. */
  close(): Promise<void>;
}

/** How the machine's resolver would be pointed at a DNS server of ours. */
export interface Resolver {
  /** The zones of addresses that are claimed beside a plan's own. */
  reverseZones(routes: readonly Prefix[]): readonly string[];
  /** Says what would be chosen and done; does nothing. @throws OsError when a forced mode cannot work */
  preview(options: ResolverPreview): Promise<{
    readonly choice: ResolverChoice;
    /** One line each, as `up -v` says them. */
    readonly steps: readonly string[];
  }>;
}

export interface ResolverPreview {
  readonly mode: DnsMode;
  readonly link: string;
  /** Where our server would listen, where it must be port 53 and where it may be any. */
  readonly server: (needsPort53: boolean) => Endpoint;
  readonly zones: readonly string[];
  /** Whether somebody puts the host's own settings back at once should the helper be killed. */
  readonly guarded: boolean;
  readonly journalDir: string;
}

export interface ResolverChoice {
  readonly backend: string;
  readonly why: readonly string[];
  readonly warnings: readonly string[];
}
