/**
 * The machine as it is set up for vnet: the link with its packets, the DNS server, and the helper that did what needs
 * root. Applies states to it.
 *
 * @module
 */
import { type DnsMode, type DomainName, questionOf, RR_TYPE } from "../../dns/mod.ts";
import { describeError } from "../../error.ts";
import type { LocalPolicy } from "../../identity/mod.ts";
import {
  bitsOf,
  contains,
  equalPrefix,
  formatPrefix,
  parsePrefix,
  type Prefix,
} from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import type { Machine } from "../../os/mod.ts";
import { foreignPrefixes, readTxtAnswer, type TxtOutcome } from "../../plan/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import type { Detected } from "../../wire/helper.ts";
import { writeBook } from "../book_file.ts";
import type { AppDialer } from "../dial.ts";
import { DnsServer } from "../dns/server.ts";
import type { FlowLog } from "../flows/flow_log.ts";
import type { OwnLink } from "../network/surroundings.ts";
import { type HelperEnd, type HelperEvent, HelperLink } from "./helper_link.ts";
import { Network } from "./network.ts";
import {
  type Book,
  destinationOf,
  leasesOf,
  type MachineFacts,
  namesWithin,
  renderBook,
  type State,
  type StateFinding,
} from "../state/mod.ts";

const log = getLogger("client");

/** Foreign answers to keep, each 4 KiB at most. */
const CACHE_ENTRIES = 1_000;

/** What the packet path routes at most. */
const MAX_RANGES = 16;

const IPV6_OFF: StateFinding = {
  code: "ipv6-off",
  message: "IPv6 is switched off on this machine: apps are reached by IPv4 alone",
  hint: "No action needed; to have both, enable IPv6 and run `sudo vnet restart`",
};

interface SetupOptions {
  readonly machine: Machine;
  readonly helper: HelperEnd;
  /** `null` for the first name that is free. */
  readonly link: string | null;
  /** Chooses the link's range and addresses, given where root lets them lie beside 100.64.0.0/10. */
  readonly addressesWith: (granted: readonly Prefix[]) => NonNullable<State["link"]>;
  readonly dnsMode: DnsMode;
  readonly policy: LocalPolicy;
  readonly dialer: Pick<AppDialer, "dial">;
  readonly flowLog: FlowLog;
  /** Where addresses are kept for the next start; `null` for nowhere. */
  readonly stateDir: string | null;
  readonly nowMs: () => number;
  readonly onEvent: (event: HelperEvent) => void;
  /** Told when a range can be given up: no name leads there any more, and the last connection has ended. */
  readonly onRangeLeft: () => void;
}

interface Parts {
  readonly helper: HelperLink;
  readonly network: Network;
  readonly dns: DnsServer;
  readonly detected: Detected;
}

/** A set-up machine; closing it takes everything back. */
export class Setup implements AsyncDisposable {
  readonly #options: SetupOptions;
  readonly #parts: Parts;
  /** What the helper routes, as text; `null` while it is not known what of the last request holds. */
  #routes: string | null = null;
  /** The zones that the machine's resolver was told of last; `null`: it is as it was. */
  #zones: readonly string[] | null = null;
  /** The ranges that are routed, as far as is known. */
  #ranges: readonly Prefix[] = [];
  /** Those of them that no name leads to, but connections run in. */
  #former: readonly Prefix[] = [];
  #names: State["names"] = null;
  /** The book as it is on disk; `null` before the first. */
  #book: string | null = null;
  #unsaved: StateFinding | null = null;
  #warnings: readonly StateFinding[] = [];

  private constructor(options: SetupOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Makes the link and the DNS server. Nothing is routed there yet, and nobody asks it yet. */
  static async open(options: SetupOptions): Promise<Setup> {
    const { machine } = options;
    await using undo = new AsyncDisposableStack();
    const helper = undo.use(HelperLink.open(machine.sockets, options.helper, options.onEvent));
    // By its answer the helper has put right what a crash left.
    const detected = await helper.detect(options.dnsMode);
    const addresses = options.addressesWith(detected.ranges.map(parsePrefix));
    let setup: Setup | null = null;
    const network = undo.use(
      await Network.open({
        machine,
        helper,
        link: options.link,
        addresses,
        range: addresses.range,
        policy: options.policy,
        findProgram: (syn) => helper.program(syn.source, syn.destination),
        destinationOf: (address) => {
          const names = setup?.names ?? null;
          return names && destinationOf(names, address);
        },
        dial: (target, port, signal) => options.dialer.dial(target, port, signal),
        log: options.flowLog,
        onLastOf: () => setup?.lookAtFormer(),
        nowMs: options.nowMs,
      }),
    );
    const dns = undo.use(
      await DnsServer.open({
        sockets: machine.sockets,
        helper,
        needsPort53: detected.needs_port_53,
        elsewhere: network.elsewhere,
        // Where it must be port 53, programs ask us themselves: nobody in front of us keeps answers.
        cacheEntries: detected.needs_port_53 ? CACHE_ENTRIES : 0,
        linkAddress6: network.hasIpv6 ? addresses.self6 : null,
      }),
    );
    undo.move();
    setup = new Setup(options, { helper, network, dns, detected });
    return setup;
  }

  /** The names that questions are judged by. */
  get names(): State["names"] {
    return this.#names;
  }

  /** What a state depends on of this machine. */
  get facts(): MachineFacts {
    const { network, detected } = this.#parts;
    return {
      foreign: foreignOf(this.#options.machine, network),
      hasIpv6: network.hasIpv6,
      allDns: detected.needs_port_53,
    };
  }

  get findings(): readonly StateFinding[] {
    const unsaved = this.#unsaved === null ? [] : [this.#unsaved];
    return [...this.#parts.network.hasIpv6 ? [] : [IPV6_OFF], ...unsaved, ...this.#warnings];
  }

  /**
   * Puts a state into force: addresses are leased and routed before a name leads to them, and given up when none does
   * any more.
   *
   * @throws what the helper says; names whose addresses are routed are in force all the same
   */
  async apply(state: State): Promise<void> {
    const { network } = this.#parts;
    const { ranges, zones } = state.plan;
    const leases = leasesOf(state);
    await this.#writeBook(state.book);
    network.setRanges(unionOf(ranges, this.#ranges, MAX_RANGES));
    network.setLeases([...network.leases, ...leases]);
    try {
      // Zones that nobody was told of yet wait for their names.
      if (this.#routes !== textOf(network.routes)) await this.#tell(this.#zones);
    } catch (thrown) {
      this.#name(namesWithin(state, this.#ranges));
      throw thrown;
    }
    const wanted = (range: Prefix) => ranges.some((one) => equalPrefix(one, range));
    this.#former = this.#ranges.filter((range) => !wanted(range) && network.runsIn(range));
    this.#ranges = unionOf(ranges, this.#former, MAX_RANGES);
    this.#name(state.names);
    network.setRanges(this.#ranges);
    network.setLeases(leases);
    const isTold = this.#routes === textOf(network.routes) &&
      this.#zones?.join(" ") === zones.join(" ");
    if (!isTold) await this.#tell(zones);
  }

  /** Connections run on in ranges that were given up. Says when one of them has none any more. */
  lookAtFormer(): void {
    const { network } = this.#parts;
    if (this.#former.some((range) => !network.runsIn(range))) this.#options.onRangeLeft();
  }

  setUpstreams(upstreams: Parameters<DnsServer["setUpstreams"]>[0]): void {
    this.#parts.dns.setUpstreams(upstreams);
  }

  /** The network is another: what is known of the resolvers holds no more. */
  networkChanged(): void {
    this.#parts.dns.networkChanged();
  }

  /** Our own link in this network, and what leads into it; `null` where it is in another. */
  get ownLink(): OwnLink | null {
    const { ifindex, routes, elsewhere } = this.#parts.network;
    return elsewhere ? null : { ifindex, routes };
  }

  /** Asks the resolvers that the machine had before us for the TXT records of a zone. */
  async askTxt(zone: DomainName): Promise<TxtOutcome> {
    const result = await this.#parts.dns.askUpstreams(questionOf(zone, RR_TYPE.TXT));
    return result.kind === "answer"
      ? readTxtAnswer(result.bytes)
      : { kind: "failed", why: result.error.text };
  }

  /** Serves connections until the signal aborts. @throws NetworkError `tun-lost` */
  run(signal: AbortSignal): Promise<void> {
    return this.#parts.network.run(signal);
  }

  /** Its part of the public status. */
  render(): Required<Pick<StatusV1, "link" | "dns" | "packets">> {
    const { network, dns } = this.#parts;
    return {
      link: network.render(),
      dns: dns.render(this.#zones ?? []),
      packets: network.counters(),
    };
  }

  /** Refused connections by the user whose they were. */
  refusedOwners(): { uid?: number; total: number }[] {
    return this.#parts.network.refusedOwners();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { helper, network, dns } = this.#parts;
    await helper.revert().catch((thrown) => {
      log.warning("The helper could not take everything back", { error: describeError(thrown) });
    });
    await dns[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
    await helper[Symbol.asyncDispose]();
  }

  #name(names: State["names"]): void {
    this.#names = names;
    this.#parts.dns.setTable(names?.table ?? null);
  }

  /** Addresses that were never kept would be others after a restart; later ones may wait for room on the disk. */
  async #writeBook(book: Book): Promise<void> {
    const { stateDir } = this.#options;
    if (stateDir === null) return;
    const isFirst = this.#book === null;
    const text = renderBook(book);
    if (this.#book === text) return;
    try {
      await writeBook(stateDir, book);
      this.#book = text;
      this.#unsaved = null;
    } catch (thrown) {
      if (isFirst) throw thrown;
      this.#unsaved = { code: "state-unsaved", message: describeError(thrown) };
    }
  }

  /** Has the helper set the network's routes, and the machine's resolver to just these zones. */
  async #tell(zones: readonly string[] | null): Promise<void> {
    const { helper, network, dns } = this.#parts;
    const { routes } = network;
    const wanted = zones === null
      ? null
      : { mode: this.#options.dnsMode, server: dns.endpoint, zones };
    this.#routes = null;
    const { applied, upstreams, steps } = await helper.apply(routes, wanted);
    this.#routes = textOf(routes);
    this.#zones = zones;
    for (const step of steps) log.info("Applied", { step });
    if (zones === null) return;
    dns.setUpstreams(upstreams);
    dns.setBackend(applied.backend, applied.why);
    this.#warnings = applied.warnings.map((message) => ({ code: "dns-warning", message }));
  }
}

/** The first ranges, and as many of the others as fit. */
function unionOf(
  first: readonly Prefix[],
  others: readonly Prefix[],
  most: number,
): readonly Prefix[] {
  const more = others.filter((range) => !first.some((one) => equalPrefix(one, range)));
  return [...first, ...more].slice(0, Math.max(most, first.length));
}

function textOf(prefixes: readonly Prefix[]): string {
  return prefixes.map(formatPrefix).join(" ");
}

/** What others than our own link use of the machine's addresses; before there is one, everybody is another. */
export function foreignOf(
  { routing }: Pick<Machine, "routing">,
  own: Pick<Network, "ifindex" | "routes"> | null,
): readonly Prefix[] {
  const facts = { routes: routing.routes(), addresses: routing.addresses() };
  const inUse = routing.occupants().map(({ address }) => address)
    .filter((address) => !(own?.routes ?? []).some((route) => contains(route, address)))
    .map((address) => ({ address, length: bitsOf(address.family) }));
  return [...foreignPrefixes(facts, own?.ifindex ?? null), ...inUse];
}
