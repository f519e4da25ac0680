/**
 * What the helper does to the machine for one client, and how it takes it back. Every act is a line that
 * `vnet up --dry-run` prints and `-v` echoes.
 *
 * @module
 */
import { allowsZone, type HelperPolicy, isEverybodys } from "../config/mod.ts";
import type { Applied, Detected, HelperRequest, Opened } from "../wire/mod.ts";
import type { DnsMode } from "../dns/mod.ts";
import { describeError, VnetError } from "../error.ts";
import { formatIp, formatPrefix, type IpAddress, parseIp, parsePrefix } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import type {
  Descriptor,
  LinkRecord,
  OsDns,
  OsDnsApplied,
  OsDnsChange,
  OsDnsRequest,
  PeerSocket,
  RootMachine,
} from "../os/mod.ts";
import { Guard, type GuardCommand } from "./guard.ts";
import { keepLink, type Notice } from "./keeper.ts";
import { Link } from "./link.ts";
import { programOf } from "./program.ts";
import type { RangeTerms } from "./ranges.ts";

const log = getLogger("helper");

const LOOPBACK_IFINDEX = 1;
/** A client opens one link, and looks for a free address for its DNS server; more is a slip or an attack. */
const MAX_OPENS = 4;
const MAX_DNS_SOCKETS = 16;
/** A listener for each family of a link. */
const MAX_GUARDS = 2 * MAX_OPENS;
const DNS_WAIT_MS = 3_000;
const DNS_RETRY_MS = 100;

type Request<Op extends HelperRequest["op"]> = Extract<HelperRequest, { op: Op }>;

/** The listener that came with a request. */
export type Carried = Pick<PeerSocket, "guardCarried">;

/** A reply's value, with the descriptors that go with it. */
export interface HostReply<T> {
  readonly value: T;
  readonly fds: readonly Descriptor[];
  /** What was done, line by line. */
  readonly steps?: readonly string[];
}

/** What may happen to the machine while it serves the client. */
export type HostEvent = OsDnsChange | { readonly kind: "notice"; readonly notice: Notice };

interface HostOptions {
  readonly journalDir: string;
  /** What repairs should this process be killed; `null` where whoever started it sees to that. */
  readonly repair: GuardCommand | null;
  readonly policy: HelperPolicy;
  /** Whether the client is in another network than the machine. */
  readonly elsewhere?: boolean;
  readonly onEvent: (event: HostEvent) => void;
}

/** The machine, as changed for one client. */
export class Host implements AsyncDisposable {
  readonly #machine: RootMachine;
  readonly #dns: OsDns;
  readonly #guard: Guard | null;
  readonly #guarded: boolean;
  readonly #policy: HelperPolicy;
  readonly #elsewhere: boolean;
  readonly #onEvent: (event: HostEvent) => void;
  /** Of these nameservers no file tells while a vnet stands in their place. */
  #hidden: readonly IpAddress[] = [];
  #record: LinkRecord | null = null;
  #ended: readonly string[] = [];
  #link: Link | null = null;
  #opens = 0;
  #dnsSocketsAsked = 0;
  #guards = 0;
  #keep = new AbortController();
  #keeping: Promise<void> = Promise.resolve();
  #watch: AbortController | null = null;
  #watching: Promise<void> = Promise.resolve();

  private constructor(
    machine: RootMachine,
    dns: OsDns,
    guard: Guard | "unneeded" | null,
    { policy, elsewhere = false, onEvent }: Pick<HostOptions, "policy" | "elsewhere" | "onEvent">,
  ) {
    this.#machine = machine;
    this.#dns = dns;
    this.#guard = guard === "unneeded" ? null : guard;
    this.#guarded = guard !== null;
    this.#policy = policy;
    this.#elsewhere = elsewhere;
    this.#onEvent = onEvent;
  }

  /** Opens the journal, which first undoes what a crash left, and posts a guard. */
  static async open(
    machine: RootMachine,
    options: HostOptions,
  ): Promise<Host> {
    const dns = await machine.resolver.open({ journalDir: options.journalDir });
    const guard = options.repair === null ? "unneeded" : Guard.start(machine, options.repair);
    const host = new Host(machine, dns, guard, options);
    host.#hidden = await dns.hidden();
    host.#ended = machine.journal.endConnections(options.journalDir);
    host.#record = machine.journal.openRecord(options.journalDir);
    return host;
  }

  /** What the journal's repair did, line by line. */
  get repaired(): readonly string[] {
    return [...this.#ended, ...this.#dns.repaired];
  }

  async detect(request: Request<"detect">): Promise<HostReply<Detected>> {
    const choice = await this.#dns.detect(this.#modeFor(request.mode));
    const value = {
      backend: choice.backend,
      why: [...choice.why],
      warnings: [...choice.warnings],
      needs_port_53: this.#machine.resolver.needsPort53(choice.backend),
      ranges: this.#policy.ranges.map(formatPrefix),
    };
    return { value, fds: [] };
  }

  /**
   * Makes the TUN with its addresses, and the sockets of the datapath. No route leads there yet.
   *
   * @throws OsError `tun-busy`, `tun-open-denied`, `tun-missing`; what `refuseRanges` throws
   */
  open(request: Request<"open">): HostReply<Opened> {
    if (this.#link !== null) throw new VnetError("helper-busy", "The link is open already");
    if (++this.#opens > MAX_OPENS) throw tooOften("opened");
    const { link, fds, vnetHeader, steps } = Link.open(
      this.#machine,
      request,
      this.#policy.containers,
      this.#terms,
    );
    this.#link = link;
    this.#keepUp(link);
    const value = {
      link: link.name,
      ifindex: link.ifindex,
      vnet_header: vnetHeader,
      has_ipv6: link.hasIpv6,
      elsewhere: this.#elsewhere,
    };
    const diagFds = this.#elsewhere ? [this.#machine.sockets.openDiag()] : [];
    return { value, fds: [...fds, ...diagFds], steps };
  }

  /**
   * Opens UDP and TCP port 53 on a loopback address of vnet's own, or on the link's own IPv6 address, there only for
   * what comes over the loopback.
   */
  dnsSockets(request: Request<"dns-sockets">): HostReply<Record<string, never>> {
    if (++this.#dnsSocketsAsked > MAX_DNS_SOCKETS) throw tooOften("given port 53");
    const address = parseIp(request.address);
    if (address.family === 6 && !this.#requireLink().owns(address)) {
      throw new VnetError("helper-order", `Address ${formatIp(address)} is not the link's`);
    }
    const endpoint = { address, port: 53 };
    const { sockets } = this.#machine;
    const fds: Descriptor[] = [];
    try {
      fds.push(sockets.listenUdp(endpoint), sockets.listenTcp(endpoint));
      if (address.family === 6) {
        for (const fd of fds) {
          sockets.guard(fd, [LOOPBACK_IFINDEX], { congestion: "" });
        }
      }
      return { value: {}, fds };
    } catch (thrown) {
      for (const fd of fds) sockets.close(fd);
      throw thrown;
    }
  }

  /**
   * Lets a listener of the client's see only what arrived on the loopback or the link, from one address. Some
   * kernels let nobody without privilege attach such a filter.
   *
   * @throws OsError `listener-guard-failed`; the signal's reason
   */
  async guard(
    request: Request<"guard">,
    listener: Carried,
    signal: AbortSignal,
  ): Promise<HostReply<Record<string, never>>> {
    const links = [LOOPBACK_IFINDEX, this.#requireLink().ifindex];
    if (++this.#guards > MAX_GUARDS) throw tooOften("guarded");
    await listener.guardCarried(links, { source: parseIp(request.source), signal });
    return { value: {}, fds: [] };
  }

  /**
   * Listens for a client that is in another network, and guards that listener.
   *
   * @throws OsError `tcp-listen-failed`, `listener-guard-failed`
   */
  listen(request: Request<"listen">): HostReply<Record<string, never>> {
    const link = this.#requireLink();
    const address = parseIp(request.address);
    if (!this.#elsewhere || !link.owns(address)) {
      throw new VnetError("helper-order", `Cannot listen on ${formatIp(address)} for a client`);
    }
    if (++this.#guards > MAX_GUARDS) throw tooOften("guarded");
    const { sockets } = this.#machine;
    const fd = sockets.listenTcp({ address, port: 0 });
    try {
      sockets.guard(fd, [LOOPBACK_IFINDEX, link.ifindex], { source: parseIp(request.source) });
      return { value: {}, fds: [fd] };
    } catch (thrown) {
      sockets.close(fd);
      throw thrown;
    }
  }

  /** Sets routes and the operating system's DNS to just this; an empty request takes all of it back. */
  async apply(request: Request<"apply">): Promise<HostReply<Applied>> {
    const link = this.#requireLink();
    this.#refuseZones(request.dns?.zones ?? []);
    const mode = request.dns === null ? null : this.#modeFor(request.dns.mode);
    const routes = request.routes.map(parsePrefix);
    this.#hidden = await this.#dns.hidden();
    link.refuse(routes, this.#terms); // What is written down here, a repair takes for ours.
    this.#record?.write(link.ifindex, [...link.routes, ...routes]);
    const steps = link.setRoutes(routes);
    if (link.unlimited !== null) this.#onEvent({ kind: "notice", notice: unlimited(link) });
    if (request.dns === null || mode === null) {
      steps.push(...await this.#stopDns());
      const value = { backend: "none", why: [], warnings: [], upstreams: [], search: [] };
      return { value, fds: [], steps };
    }
    const applied = await this.#applyDns({
      link: link.name,
      ifindex: link.ifindex,
      server: { address: parseIp(request.dns.server.address), port: request.dns.server.port },
      // Names of the addresses, too; which ones, the client does not say.
      zones: [...request.dns.zones, ...this.#machine.resolver.reverseZones(routes)],
      mode,
      guarded: this.#guarded,
    });
    this.#followDns();
    const value = {
      backend: applied.backend,
      why: [...applied.why],
      warnings: [...applied.warnings],
      upstreams: applied.upstreams.map(({ address, port }) => ({
        address: formatIp(address),
        port,
      })),
      search: [...applied.search],
    };
    return { value, fds: [], steps: [...steps, ...applied.steps] };
  }

  /** Names the program behind a connection into the link. */
  async program(request: Request<"program">): Promise<HostReply<{ program: string | null }>> {
    const program = await programOf(this.#machine.sockets, request, this.#requireLink());
    return { value: { program }, fds: [] };
  }

  /** Takes back everything; what is gone already is no error. Connections through the range end at once. */
  async revert(): Promise<readonly string[]> {
    this.#keep.abort();
    await this.#keeping;
    const steps = this.#link?.revert() ?? [];
    this.#link = null;
    steps.push(...await this.#stopDns());
    return steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.revert();
    await this.#dns.close();
    this.#record?.[Symbol.dispose]();
    await this.#guard?.[Symbol.asyncDispose]();
  }

  /** Another vnet that is just ending, or the repair after it, holds the resolver's settings for a moment. */
  async #applyDns(request: OsDnsRequest): Promise<OsDnsApplied> {
    for (let waitedMs = 0;; waitedMs += DNS_RETRY_MS) {
      try {
        return await this.#dns.apply(request);
      } catch (thrown) {
        const isBusy = thrown instanceof VnetError && thrown.code === "dns-in-use";
        if (!isBusy || waitedMs >= DNS_WAIT_MS) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, DNS_RETRY_MS));
      }
    }
  }

  get #terms(): RangeTerms {
    return { allowed: this.#policy.ranges, nameservers: this.#hidden };
  }

  #requireLink(): Link {
    if (this.#link === null) throw new VnetError("helper-order", "Nothing is open yet");
    return this.#link;
  }

  /** A client that has no wish gets what root said. */
  #modeFor(mode: DnsMode): DnsMode {
    const { dnsMode } = this.#policy;
    if (mode === dnsMode || mode === "auto") return dnsMode;
    throw new VnetError("mode-refused", `Cannot use DNS mode ${mode}: root asked for ${dnsMode}`, {
      hint: "Leave out --dns, or have root change `dns` in /etc/vnet/helper.yaml",
    });
  }

  #refuseZones(zones: readonly string[]): void {
    for (const zone of zones) {
      if (isEverybodys(zone)) {
        throw new VnetError("zone-refused", `Zone "${zone}" is public: no cluster may claim it`);
      }
      if (allowsZone(this.#policy, zone)) continue;
      throw new VnetError(
        "zone-forbidden",
        `Zone "${zone}" is not allowed by /etc/vnet/helper.yaml`,
        {
          hint: "Have root add it to `zones` in /etc/vnet/helper.yaml",
        },
      );
    }
  }

  #keepUp(link: Link): void {
    this.#keep = new AbortController();
    const told = {
      onNotice: (notice: Notice) => this.#onEvent({ kind: "notice", notice }),
      // Another network may have brought other resolvers.
      onChange: () => this.#dns.look(),
    };
    this.#keeping = keepLink(this.#machine.links, link, told, this.#keep.signal).catch((thrown) => {
      log.warning("Stopped following the network", { error: describeError(thrown) });
    });
  }

  #followDns(): void {
    if (this.#watch !== null) return;
    this.#watch = new AbortController();
    this.#watching = this.#dns.watch(this.#onEvent, this.#watch.signal).catch((thrown) => {
      log.warning("Stopped following the machine's DNS settings", {
        error: describeError(thrown),
      });
    });
  }

  async #stopDns(): Promise<readonly string[]> {
    this.#watch?.abort();
    this.#watch = null;
    await this.#watching;
    return await this.#dns.revert();
  }
}

function unlimited({ name, unlimited }: Link): Notice {
  return {
    code: "link-unlimited",
    message: `The kernel does not check what comes out of ${name}: ${unlimited}`,
    hint: "Use a kernel with sch_ingress and cls_bpf, often in linux-modules-extra",
  };
}

function tooOften(what: string): VnetError {
  return new VnetError("helper-busy", `Too many requests: a client is not ${what} that often`, {
    hint: "Run `sudo vnet restart`",
  });
}
