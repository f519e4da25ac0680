/**
 * The packet thread, seen from TypeScript: held SYNs come out, answers go in.
 *
 * The thread rewrites the packets of virtual addresses so that the kernel's own TCP ends each connection at one
 * listener of this process. It decides nothing about apps: a SYN to a leased address waits here for an answer.
 *
 * @module
 * @see ffi/README.md
 */
import {
  ANSWER,
  FLOW_RECORD_SIZE,
  NETWORK_RECORD_SIZE,
  OWNER_REQUIRED,
  STATS,
  STATS_COUNT,
} from "deno_tun";
import {
  decodeIp,
  encodeIp,
  type Endpoint,
  type IpAddress,
  type Ipv4,
  type Prefix,
} from "../../../ip/mod.ts";
import type { DatapathOptions, PacketPath, RejectReason, SynEvent } from "../../machine.ts";
import { type Act, closeFd, ensure, errnoName, osError, type Shim, UNSET } from "../shim.ts";

const EVENTS_PER_CALL = 256;
/** The shim writes records in host order. */
const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** One packet thread. */
export class Datapath implements PacketPath {
  readonly #shim: Shim;
  readonly #handle: bigint;
  readonly #fds: readonly number[];
  #waiting: Promise<number> | null = null;
  #closed: Promise<void> | null = null;

  private constructor(shim: Shim, handle: bigint, fds: readonly number[]) {
    this.#shim = shim;
    this.#handle = handle;
    this.#fds = fds;
  }

  /**
   * Starts the thread. On success the descriptors belong to the datapath, on failure still to the caller.
   *
   * @throws {OsError} `datapath-failed`.
   */
  static start(shim: Shim, options: DatapathOptions): Datapath {
    const addresses = addressesOf(options);
    const handle = shim.symbols.vnet_datapath_start(
      options.tunFd,
      options.vnetHeader ? 1 : 0,
      options.raw4Fd,
      options.raw6Fd ?? -1,
      options.diagFd ?? -1,
      options.ifindex,
      addresses,
      addresses.length,
      options.listenPort,
      options.listenPort6 ?? options.listenPort,
      options.maxHeld ?? 4096,
      options.heldTimeoutMs ?? 15_000,
      options.requireOwner === false ? 0 : OWNER_REQUIRED,
    );
    if (handle < 0n) throw osError(shim, Number(-handle), actOf("start the packet thread"));
    const fds = [options.tunFd, options.raw4Fd, options.raw6Fd ?? -1].filter((fd) => fd >= 0);
    const datapath = new Datapath(shim, handle, fds);
    datapath.setRanges(options.ranges4);
    return datapath;
  }

  /**
   * Sets the IPv4 ranges to just these; leases outside them end, existing connections stay.
   *
   * @throws {RangeError} For more than 16, or one shorter than /8.
   */
  setRanges(ranges: readonly Prefix[]): void {
    this.#open();
    const records = new Uint8Array(ranges.length * NETWORK_RECORD_SIZE);
    for (const [index, { address, length }] of ranges.entries()) {
      records.set([...encodeIp(address), length], index * NETWORK_RECORD_SIZE);
    }
    const result = this.#shim.symbols.vnet_datapath_networks(
      this.#handle,
      records,
      records.length,
    );
    if (result < 0) throw new RangeError("Cannot route these ranges: too many, or too wide");
  }

  /** Says which addresses answer. The IPv6 twins follow; existing connections stay. */
  setLeases(adds: readonly Ipv4[], removes: readonly Ipv4[]): void {
    this.#open();
    // additions first: an address in neither list must never be missing in between
    for (const [list, add] of [[adds, 1], [removes, 0]] as const) {
      if (list.length === 0) continue;
      const bytes = new Uint8Array(list.length * 4);
      for (const [index, address] of list.entries()) bytes.set(encodeIp(address), index * 4);
      const result = this.#shim.symbols.vnet_datapath_leases(
        this.#handle,
        bytes,
        bytes.length,
        add,
      );
      if (result < 0) throw new RangeError("Cannot lease an address outside the ranges");
    }
  }

  /**
   * The held SYNs, each once, in batches as they come. Ends when the datapath is closed. Only one loop at a time.
   *
   * @throws {OsError} `tun-lost` when the device went away; the signal's reason when it is aborted.
   */
  async *events(signal?: AbortSignal): AsyncGenerator<readonly SynEvent[]> {
    const records = new Uint8Array(EVENTS_PER_CALL * FLOW_RECORD_SIZE);
    const view = new DataView(records.buffer);
    while (this.#closed === null) {
      const count = await this.#next(records, signal);
      if (count === null) return;
      if (count === 0) continue;
      yield Array.from({ length: count }, (_, at) => readEvent(view, at * FLOW_RECORD_SIZE));
    }
  }

  /** Waits for events; `null` once stopped. */
  async #next(records: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<number | null> {
    signal?.throwIfAborted();
    if (this.#waiting !== null) throw new TypeError("Cannot read events in two loops");
    const symbols = this.#shim.symbols;
    const onAbort = () => symbols.vnet_datapath_wake(this.#handle);
    this.#waiting = symbols.vnet_datapath_events(this.#handle, records, records.length, -1);
    signal?.addEventListener("abort", onAbort, { once: true });
    let result: number;
    try {
      result = await this.#waiting;
    } finally {
      this.#waiting = null;
      signal?.removeEventListener("abort", onAbort);
    }
    if (result > 0) return result;
    signal?.throwIfAborted();
    if (result === 0) return 0;
    if (errnoName(this.#shim, -result) === "ECANCELED") return null;
    throw osError(this.#shim, -result, {
      act: "read packets",
      call: "read",
      code: "tun-lost",
      cases: { EBADFD: { state: "the TUN device was removed" } },
    });
  }

  /** Lets the handshake of a held SYN go on at the listener. False if it is not held any more. */
  release(id: bigint): boolean {
    return this.#answer(id, ANSWER.release);
  }

  /** Answers a held SYN with RST: connection refused. False if it is not held any more. */
  refuse(id: bigint): boolean {
    return this.#answer(id, ANSWER.refuse);
  }

  /** Answers a held SYN with ICMP unreachable. False if it is not held any more. */
  reject(id: bigint, reason: RejectReason): boolean {
    return this.#answer(id, ANSWER[reason]);
  }

  #answer(id: bigint, answer: number): boolean {
    if (this.#closed !== null) return false;
    const result = this.#shim.symbols.vnet_datapath_answer(this.#handle, id, answer);
    if (result < 0 && errnoName(this.#shim, -result) === "ENOENT") return false;
    // a packet the kernel would not take now is a lost packet: the client's next SYN gets the same answer
    return true;
  }

  /**
   * Finds what a connection of the listener is about. Only connections whose remote address is the peer
   * address have an answer worth trusting; `guardListener` with that source admits no others.
   *
   * @param port The remote port of the accepted connection.
   * @returns The flow, or `null` if there is none.
   */
  flowOf(family: 4 | 6, port: number): SynEvent | null {
    if (this.#closed !== null) return null;
    const record = new Uint8Array(FLOW_RECORD_SIZE);
    const result = this.#shim.symbols.vnet_datapath_flow(
      this.#handle,
      family,
      port,
      record,
      record.length,
    );
    return result < 0 ? null : readEvent(new DataView(record.buffer), 0);
  }

  /** Reads the counters. */
  stats(): { readonly [Name in typeof STATS[number]]: number } {
    this.#open();
    const counters = new BigUint64Array(STATS_COUNT);
    this.#shim.symbols.vnet_datapath_stats(this.#handle, counters, counters.length);
    const entries = STATS.map((name, index) => [name, Number(counters[index])] as const);
    return Object.fromEntries(entries) as ReturnType<Datapath["stats"]>;
  }

  /** Refuses what is held, ends the thread and closes the descriptors, which removes the TUN device. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    const symbols = this.#shim.symbols;
    symbols.vnet_datapath_stop(this.#handle);
    await this.#waiting?.catch(() => 0);
    ensure(this.#shim, symbols.vnet_datapath_free(this.#handle), actOf("free the packet thread"));
    for (const fd of this.#fds) closeFd(this.#shim, fd);
  }

  #open(): void {
    if (this.#closed !== null) throw new TypeError("Cannot use a closed datapath");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function actOf(act: string): Act {
  return { act, call: "pthread_create", code: "datapath-failed" };
}

function addressesOf(options: DatapathOptions): Uint8Array<ArrayBuffer> {
  const { self4, peer4, self6, peer6, prefix6, raw6Fd } = options;
  const list: IpAddress[] = [self4, peer4];
  if (self6 !== null && peer6 !== null && prefix6 !== null && raw6Fd !== null) {
    list.push(self6, peer6, prefix6.address);
  }
  const parts = list.map(encodeIp);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function readEvent(view: DataView, at: number): SynEvent {
  const family = view.getUint8(at + 52) === 4 ? 4 : 6;
  const endpoint = (address: number, port: number): Endpoint => {
    const bytes = new Uint8Array(view.buffer, at + address, family === 4 ? 4 : 16);
    const decoded = decodeIp(bytes);
    if (decoded === null) throw new TypeError("Cannot read a record of the shim");
    return { address: decoded, port: view.getUint16(at + port, LITTLE) };
  };
  const uid = view.getUint32(at + 8, LITTLE);
  return {
    id: view.getBigUint64(at, LITTLE),
    source: endpoint(16, 48),
    destination: endpoint(32, 50),
    uid: uid === UNSET ? null : uid,
    inode: view.getUint32(at + 12, LITTLE),
  };
}
