/**
 * A client host in a network namespace of its own: TUN, addresses, routes, listeners, packet thread. For the
 * files of this folder, which tests/netns/os_test.ts runs inside such a namespace.
 *
 * @module
 */
import {
  formatIp,
  type IpAddress,
  type Ipv4,
  parseIpv4,
  parseIpv6,
  parsePrefix,
} from "../../../lib/ip/mod.ts";
import type {
  DatapathOptions,
  FlowListener,
  LocalConn,
  PacketPath,
  SynEvent,
  Tun,
} from "../../../lib/os/mod.ts";
import { machine } from "../../machine.ts";

const { links, routing, sockets } = machine.root;

export const SELF4 = parseIpv4("100.64.0.1");
export const PEER4 = parseIpv4("100.64.0.2");
export const RANGE4 = parsePrefix("100.64.0.0/10");
export const SELF6 = parseIpv6("fd7a:115c::1");
export const PEER6 = parseIpv6("fd7a:115c::2");
export const PREFIX6 = parsePrefix("fd7a:115c::/64");

/** The leased address and its twin. */
export const APP4 = parseIpv4("100.70.7.9");
export const APP6 = parseIpv6("fd7a:115c::6446:709");
export const APPS: readonly IpAddress[] = [APP4, APP6];
/** In the range, but nobody's. */
export const NOBODY4 = parseIpv4("100.70.7.10");
export const NOBODY6 = parseIpv6("fd7a:115c::6446:70a");

/** What a test wants of its world. */
export interface WorldOptions extends Partial<DatapathOptions> {
  readonly offloads?: boolean;
  readonly onSyn?: (event: SynEvent, datapath: PacketPath) => void;
}

/** An accepted connection with the flow it belongs to. */
export interface Accepted {
  readonly conn: LocalConn;
  readonly flow: SynEvent;
}

/** One client host; its own listeners stand for the daemon's. */
export class World implements AsyncDisposable {
  readonly tun: Tun;
  readonly datapath: PacketPath;
  readonly listenPort: number;
  readonly listenPort6: number;
  readonly #listeners: readonly FlowListener[];
  /** Ends when the events do. */
  readonly ended: Promise<void>;
  readonly syns: SynEvent[] = [];

  constructor(options: WorldOptions = {}) {
    const lo = routing.linkIndex("lo");
    links.up(lo, 0);
    // as every start does: what an earlier world left half closed would go on in this one
    sockets.destroyTo(RANGE4);
    sockets.destroyTo(PREFIX6);
    this.tun = links.openTun({ name: "vnet0", vnetHeader: options.offloads ?? true });
    const { ifindex } = this.tun;
    links.up(ifindex, 65535);
    const unset = links.confine(this.tun.name);
    if (unset.length > 0) throw new TypeError(`cannot set ${unset.join(", ")}`);
    links.addAddress(ifindex, SELF4, 32);
    links.addAddress(ifindex, SELF6, 128);
    links.limitSources(ifindex, { allowed: [RANGE4, PREFIX6], own: [SELF4, SELF6] });
    this.#listeners = [SELF4, SELF6].map((address) => sockets.listenFlows(address));
    [this.listenPort, this.listenPort6] = this.#guard([lo, ifindex]);
    this.datapath = machine.packets.start({
      tunFd: this.tun.fd,
      vnetHeader: this.tun.vnetHeader,
      raw4Fd: sockets.openRaw(4, ifindex),
      raw6Fd: sockets.openRaw(6, ifindex),
      ifindex,
      self4: SELF4,
      peer4: PEER4,
      ranges4: [RANGE4],
      self6: SELF6,
      peer6: PEER6,
      prefix6: PREFIX6,
      listenPort: this.listenPort,
      listenPort6: this.listenPort6,
      ...options,
    });
    links.addRoute(ifindex, RANGE4, { source: SELF4, congestion: "cubic" });
    links.addRoute(ifindex, PREFIX6, { source: SELF6, congestion: "cubic" });
    this.datapath.setLeases([APP4], []);
    this.ended = this.#answer(options.onSyn ?? ((event, datapath) => datapath.release(event.id)));
  }

  #guard(ifindexes: readonly number[]): [number, number] {
    const ports = this.#listeners.map(({ port, descriptor }, index) => {
      sockets.guard(descriptor, ifindexes, { source: [PEER4, PEER6][index] ?? PEER4 });
      return port;
    });
    return [ports[0] ?? 0, ports[1] ?? 0];
  }

  async #answer(onSyn: (event: SynEvent, datapath: PacketPath) => void): Promise<void> {
    for await (const batch of this.datapath.events()) {
      for (const event of batch) {
        this.syns.push(event);
        onSyn(event, this.datapath);
      }
    }
  }

  lease(adds: readonly Ipv4[]): void {
    this.datapath.setLeases(adds, []);
  }

  /** Takes the next connection of one family. */
  async accept(family: 4 | 6): Promise<Accepted> {
    const listener = this.#listeners[family === 4 ? 0 : 1];
    if (listener === undefined) throw new TypeError("no listener");
    const conn = await listener.accept();
    const flow = this.datapath.flowOf(family, conn.remote.port);
    if (flow === null) throw new TypeError(`no flow for port ${conn.remote.port}`);
    return { conn, flow };
  }

  /** Connects as any program would. */
  connect(address: IpAddress, port: number): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: formatIp(address), port });
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.datapath.close();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** One end of a connection, whichever. */
type Bytes = Pick<LocalConn, "read" | "write" | "closeWrite">;

/** Sends bytes made from a seed, then ends this direction; returns their sum. */
export async function sendBulk(conn: Bytes, sizeBytes: number): Promise<number> {
  const chunk = new Uint8Array(256 * 1024);
  for (let at = 0; at < chunk.length; at++) chunk[at] = (at * 7 + (at >> 8)) & 255;
  let sum = 1;
  for (let sent = 0; sent < sizeBytes; sent += chunk.length) {
    chunk[0] = (sent / chunk.length) & 255;
    sum = checksum(sum, chunk);
    for (let at = 0; at < chunk.length;) at += await conn.write(chunk.subarray(at));
  }
  await conn.closeWrite();
  return sum;
}

/** Reads to the end; returns how many bytes and their sum. */
export async function receiveAll(conn: Bytes): Promise<{ bytes: number; sum: number }> {
  const chunk = new Uint8Array(256 * 1024);
  let bytes = 0;
  let sum = 1;
  for (;;) {
    const length = await conn.read(chunk);
    if (length === null) return { bytes, sum };
    sum = checksum(sum, chunk.subarray(0, length));
    bytes += length;
  }
}

/** A sum that depends on the order of the bytes, whatever pieces they come in. */
function checksum(sum: number, bytes: Uint8Array): number {
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}
