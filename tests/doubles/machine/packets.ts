/**
 * A packet path in memory: a test connects as a program would, and sees what becomes of it.
 *
 * @module
 */
import { OsError } from "../../../lib/error.ts";
import { contains, type Endpoint, type IpAddress, type Ipv4 } from "../../../lib/ip/mod.ts";
import type { Prefix } from "../../../lib/ip/mod.ts";
import type {
  DatapathOptions,
  LocalConn,
  PacketPath,
  RejectReason,
  SynEvent,
} from "../../../lib/os/mod.ts";
import { connPair } from "./conns.ts";
import { Queue } from "./queue.ts";

const FIRST_SOURCE_PORT = 40_000;
const LOW_32_BITS = 0xffff_ffffn;

/** What a program sees of its `connect`. */
export type Connected =
  | { readonly kind: "connected"; readonly conn: LocalConn }
  | { readonly kind: "refused" }
  | { readonly kind: "rejected"; readonly reason: RejectReason };

/** Who connects. */
export interface Caller {
  /** `null` for a connection that no local socket owns. */
  readonly uid: number | null;
  readonly inode?: number;
}

interface Held {
  readonly event: SynEvent;
  readonly settle: (outcome: Connected) => void;
}

/** What the path needs of the machine it is on. */
export interface PathGround {
  /** Hands the local half of a connection to whoever listens there. */
  readonly offer: (port: number, conn: LocalConn) => boolean;
  readonly close: (descriptor: number) => void;
}

/** A running packet path. */
export class MemoryPath implements PacketPath {
  readonly options: DatapathOptions;
  readonly #ground: PathGround;
  readonly #events = new Queue<SynEvent>();
  readonly #held = new Map<bigint, Held>();
  readonly #flows = new Map<string, SynEvent>();
  readonly #leases = new Map<number, Ipv4>();
  readonly #counters: Record<string, number> = {
    synsHeld: 0,
    synsReleased: 0,
    synsRefused: 0,
    synsRejected: 0,
    refusedUnleased: 0,
  };
  #ranges: readonly Prefix[];
  #nextId = 1n;
  #nextPort = FIRST_SOURCE_PORT;
  #closed = false;
  #lost = false;

  constructor(options: DatapathOptions, ground: PathGround) {
    this.options = options;
    this.#ranges = options.ranges4;
    this.#ground = ground;
  }

  /** The addresses that answer, in the order they were leased. */
  get leases(): readonly Ipv4[] {
    return [...this.#leases.values()];
  }

  get ranges(): readonly Prefix[] {
    return this.#ranges;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Connects as a program would, whose SYN is held until somebody decides. */
  connect(destination: Endpoint, { uid, inode = 1 }: Caller): Promise<Connected> {
    if (this.#closed) throw new TypeError("Cannot use a closed datapath");
    if (!this.#isLeased(destination.address)) {
      this.#count("refusedUnleased");
      return Promise.resolve({ kind: "refused" });
    }
    const { promise, resolve } = Promise.withResolvers<Connected>();
    const { self4, self6 } = this.options;
    const own = destination.address.family === 4 ? self4 : self6 ?? self4;
    const source = { address: own, port: this.#nextPort++ };
    this.push({ id: this.#nextId++, source, destination, uid, inode }, resolve);
    return promise;
  }

  /** Holds a SYN of the test's own making. */
  push(event: SynEvent, settle: (outcome: Connected) => void = () => {}): void {
    this.#held.set(event.id, { event, settle });
    this.#count("synsHeld");
    this.#events.put(event);
  }

  /** Has the device go away under the path. */
  lose(): void {
    this.#lost = true;
    this.#events.end();
  }

  async *events(signal?: AbortSignal): AsyncGenerator<readonly SynEvent[]> {
    while (!this.#closed) {
      await this.#events.wait(signal);
      const batch = this.#events.takeNow();
      if (batch.length > 0) yield batch;
      else if (this.#lost) throw lostError();
      else return;
    }
  }

  release(id: bigint): boolean {
    const held = this.#take(id, "synsReleased");
    if (held === null) return false;
    const { event, settle } = held;
    const { peer4, peer6, listenPort, listenPort6 = listenPort } = this.options;
    const { family } = event.destination.address;
    const seen = { address: family === 4 ? peer4 : peer6 ?? peer4, port: event.source.port };
    const [program, local] = connPair(seen, event.destination);
    this.#flows.set(`${family} ${seen.port}`, event);
    const isHeard = this.#ground.offer(family === 4 ? listenPort : listenPort6, local);
    settle(isHeard ? { kind: "connected", conn: program } : { kind: "refused" });
    return true;
  }

  refuse(id: bigint): boolean {
    const held = this.#take(id, "synsRefused");
    held?.settle({ kind: "refused" });
    return held !== null;
  }

  reject(id: bigint, reason: RejectReason): boolean {
    const held = this.#take(id, "synsRejected");
    held?.settle({ kind: "rejected", reason });
    return held !== null;
  }

  flowOf(family: 4 | 6, port: number): SynEvent | null {
    return this.#flows.get(`${family} ${port}`) ?? null;
  }

  setRanges(ranges: readonly Prefix[]): void {
    this.#ranges = ranges;
    for (const [value, address] of this.#leases) {
      if (!ranges.some((range) => contains(range, address))) this.#leases.delete(value);
    }
  }

  setLeases(adds: readonly Ipv4[], removes: readonly Ipv4[]): void {
    if (this.#closed) throw new TypeError("Cannot use a closed datapath");
    for (const address of adds) {
      if (!this.#ranges.some((range) => contains(range, address))) {
        throw new RangeError("Cannot lease an address outside the ranges");
      }
      this.#leases.set(address.value, address);
    }
    for (const { value } of removes) this.#leases.delete(value);
  }

  stats(): Readonly<Record<string, number>> {
    return { ...this.#counters, flowsLive: this.#flows.size };
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    for (const id of [...this.#held.keys()]) this.refuse(id);
    this.#closed = true;
    this.#events.end();
    const { tunFd, raw4Fd, raw6Fd } = this.options;
    for (const descriptor of [tunFd, raw4Fd, raw6Fd]) {
      if (descriptor !== null) this.#ground.close(descriptor);
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** An IPv6 address is its IPv4 twin's. */
  #isLeased(address: IpAddress): boolean {
    const value = address.family === 4 ? address.value : Number(address.value & LOW_32_BITS);
    return this.#leases.has(value);
  }

  #take(id: bigint, counter: string): Held | null {
    const held = this.#closed ? undefined : this.#held.get(id);
    if (held === undefined) return null;
    this.#held.delete(id);
    this.#count(counter);
    return held;
  }

  #count(counter: string): void {
    this.#counters[counter] = (this.#counters[counter] ?? 0) + 1;
  }
}

function lostError(): OsError {
  return new OsError("tun-lost", "Cannot read packets: the TUN device was removed (EBADFD)", {
    call: "read",
    errno: "EBADFD",
  });
}
