/**
 * The daemon's half of the network: the packet thread on the TUN that the helper made, and the listeners where the
 * kernel ends the connections.
 *
 * @module
 */
import type { AppTarget } from "../../plan/mod.ts";
import { RANGE_LENGTHS } from "../../config/mod.ts";
import { NetworkError } from "../../error.ts";
import type { LocalPolicy } from "../../identity/mod.ts";
import {
  contains,
  equalPrefix,
  formatIp,
  formatPrefix,
  type IpAddress,
  type Ipv4,
  type Prefix,
  prefixOf,
} from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import type { FlowListener, Machine, PacketPath } from "../../os/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import type { Flow } from "../cluster/driver.ts";
import type { Destination, LinkAddresses } from "../state/mod.ts";
import type { FlowLog } from "../flows/flow_log.ts";
import { Flows } from "../flows/flows.ts";
import type { HelperLink } from "./helper_link.ts";
import type { ProgramFinder } from "../flows/strangers.ts";

const log = getLogger("client");

const MAX_HELD = 4096;
const HELD_TIMEOUT_MS = 80_000;

interface NetworkOptions {
  readonly machine: Machine;
  readonly helper: HelperLink;
  /** `null` for the first name that is free. */
  readonly link: string | null;
  readonly addresses: LinkAddresses;
  /** The link's own addresses are of this one: it stays for the link's life. */
  readonly range: Prefix;
  readonly policy: LocalPolicy;
  readonly findProgram: ProgramFinder;
  readonly destinationOf: (address: IpAddress) => Destination | null;
  readonly dial: (target: AppTarget, port: number, signal: AbortSignal) => Promise<Flow>;
  readonly log: FlowLog;
  /** Told when the last connection to a virtual address has ended. */
  readonly onLastOf: (address: IpAddress) => void;
  readonly nowMs: () => number;
}

/** The link, its packets and its listeners. */
export class Network implements AsyncDisposable {
  readonly #packets: PacketPath;
  readonly #listeners: readonly FlowListener[];
  readonly #flows: Flows;
  readonly #link: NonNullable<StatusV1["link"]>;
  /** The least that holds the link's own addresses: connections pass through them, whatever ranges there are. */
  readonly #home: Prefix;
  readonly #prefix6: Prefix | null;
  #ranges: readonly Prefix[];
  readonly ifindex: number;
  readonly hasIpv6: boolean;
  /** Whether it is another network than this process's. */
  readonly elsewhere: boolean;
  #leases = new Map<number, Ipv4>();

  private constructor(
    options: NetworkOptions,
    made: {
      readonly packets: PacketPath;
      readonly listeners: readonly FlowListener[];
      readonly offload: boolean;
      readonly hasIpv6: boolean;
      readonly name: string;
      readonly ifindex: number;
      readonly elsewhere: boolean;
    },
  ) {
    const { addresses, range } = options;
    this.#packets = made.packets;
    this.#listeners = made.listeners;
    this.hasIpv6 = made.hasIpv6;
    this.ifindex = made.ifindex;
    this.elsewhere = made.elsewhere;
    this.#ranges = [range];
    this.#home = prefixOf(addresses.self4, Math.max(range.length, RANGE_LENGTHS.smallest));
    this.#prefix6 = made.hasIpv6 ? addresses.prefix6 : null;
    this.#flows = new Flows({
      source: made.packets,
      listeners: made.listeners,
      policy: options.policy,
      findProgram: options.findProgram,
      findHolders: (...how) => options.machine.sockets.holdersOf(...how),
      destinationOf: options.destinationOf,
      dial: options.dial,
      log: options.log,
      onLastOf: options.onLastOf,
      nowMs: options.nowMs,
    });
    this.#link = {
      name: made.name,
      ipv4: formatIp(addresses.self4),
      ...(made.hasIpv6 ? { ipv6: formatIp(addresses.self6) } : {}),
      ranges: [],
      offload: made.offload,
    };
  }

  /** Has the helper make the link, and starts the packet thread on it. Nothing is routed there yet. */
  static async open(options: NetworkOptions): Promise<Network> {
    const { machine, helper, addresses, range } = options;
    const { opened, tunFd, raw4Fd, raw6Fd, diagFd, steps } = await helper.open({
      link: options.link,
      self4: formatIp(addresses.self4),
      range,
      ipv6: { self: formatIp(addresses.self6), prefix: addresses.prefix6 },
    });
    for (const step of steps) log.info("Applied", { step });
    const hasIpv6 = opened.has_ipv6 && raw6Fd !== null;
    const listeners: FlowListener[] = [];
    try {
      const listen = opened.elsewhere ? listenElsewhere : listenHere;
      listeners.push(await listen(options, addresses.self4, addresses.peer4));
      if (hasIpv6) listeners.push(await listen(options, addresses.self6, addresses.peer6));
      const [port = 0, port6 = port] = listeners.map((listener) => listener.port);
      const packets = machine.packets.start({
        tunFd,
        vnetHeader: opened.vnet_header,
        raw4Fd,
        raw6Fd: hasIpv6 ? raw6Fd : null,
        diagFd,
        ifindex: opened.ifindex,
        self4: addresses.self4,
        peer4: addresses.peer4,
        ranges4: [range],
        self6: hasIpv6 ? addresses.self6 : null,
        peer6: hasIpv6 ? addresses.peer6 : null,
        prefix6: hasIpv6 ? addresses.prefix6 : null,
        listenPort: port,
        listenPort6: port6,
        maxHeld: MAX_HELD,
        heldTimeoutMs: HELD_TIMEOUT_MS,
        requireOwner: !options.policy.containers,
      });
      const { vnet_header: offload, link: name, ifindex, elsewhere } = opened;
      const made = { packets, listeners, offload, hasIpv6, name, ifindex, elsewhere };
      return new Network(options, made);
    } catch (thrown) {
      for (const listener of listeners) listener.close();
      for (const fd of [tunFd, raw4Fd, raw6Fd]) {
        if (fd !== null) machine.sockets.close(fd);
      }
      throw thrown;
    } finally {
      if (diagFd !== null) machine.sockets.close(diagFd);
    }
  }

  /** What is to be routed into the link: the ranges, and what it needs itself. */
  get routes(): readonly Prefix[] {
    const holdsHome = (range: Prefix) => contains(range, this.#home.address);
    const [home = this.#home] = this.#ranges.filter(holdsHome);
    const others = this.#ranges.filter((range) => !equalPrefix(range, home));
    return [home, ...this.#prefix6 === null ? [] : [this.#prefix6], ...others];
  }

  /** Whether connections run to addresses of a range. */
  runsIn(range: Prefix): boolean {
    return this.#flows.runIn(range);
  }

  /** Which addresses have an app behind them. */
  get leases(): readonly Ipv4[] {
    return [...this.#leases.values()];
  }

  /** Says where leased addresses may lie; leases elsewhere end. */
  setRanges(ranges: readonly Prefix[]): void {
    this.#packets.setRanges(ranges);
    this.#ranges = ranges;
    for (const [value, address] of this.#leases) {
      if (!ranges.some((range) => contains(range, address))) this.#leases.delete(value);
    }
  }

  /** Says which addresses have an app behind them; all others are refused at once. */
  setLeases(wanted: readonly Ipv4[]): void {
    const next = new Map(wanted.map((address) => [address.value, address]));
    const adds = wanted.filter((address) => !this.#leases.has(address.value));
    const removes = [...this.#leases.values()].filter((address) => !next.has(address.value));
    this.#packets.setLeases(adds, removes);
    this.#leases = next;
  }

  /** Serves connections until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#flows.run(signal);
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
    }
    if (!signal.aborted) throw new NetworkError("tun-lost", "The network device is gone");
  }

  /** The public form of the link. */
  render(): NonNullable<StatusV1["link"]> {
    return { ...this.#link, ranges: this.routes.map(formatPrefix) };
  }

  /** Refused connections by the user whose they were. */
  refusedOwners(): { uid?: number; total: number }[] {
    return this.#flows.refusedOwners();
  }

  /** The packet thread's counters, in snake case. */
  counters(): Record<string, number> {
    const counters: Record<string, number> = {};
    for (const [name, count] of Object.entries(this.#packets.stats())) {
      counters[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = count;
    }
    return counters;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.#packets.close();
  }
}

async function listenElsewhere(
  { machine, helper }: NetworkOptions,
  self: IpAddress,
  peer: IpAddress,
): Promise<FlowListener> {
  return await machine.sockets.adoptFlows(await helper.listen(self, peer));
}

async function listenHere(
  { machine, helper }: NetworkOptions,
  self: IpAddress,
  peer: IpAddress,
): Promise<FlowListener> {
  const listener = machine.sockets.listenFlows(self);
  try {
    await helper.guard(listener.descriptor, peer);
    return listener;
  } catch (thrown) {
    listener.close();
    throw thrown;
  }
}
