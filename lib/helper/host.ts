/**
 * What the helper does to the machine for one client, and how it takes it back. Every act is a line that
 * `vnet up --dry-run` prints and `-v` echoes.
 *
 * @module
 */
import { isPublicSuffix } from "../config/mod.ts";
import type { Applied, Detected, HelperRequest, Opened } from "../config/mod.ts";
import { OsError, VnetError } from "../error.ts";
import {
  formatIp,
  formatPrefix,
  isPrivatePrefix,
  overlaps,
  parseIp,
  parsePrefix,
  type Prefix,
} from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import {
  addAddress,
  addRoute,
  type Change,
  closeFd,
  destroySockets,
  guardListener,
  linkUp,
  listAddresses,
  listRoutes,
  openRaw,
  openTun,
  OsDns,
  removeRoute,
  serverNeedsPort53,
  type Shim,
  tcpListen,
  udpBind,
} from "../os/mod.ts";
import { Guard, type GuardCommand } from "./guard.ts";

const log = getLogger("helper");

/** The biggest a TUN may be; with offloads the kernel hands over 64 KiB at a time. */
const LINK_MTU = 65_535;

const LOOPBACK_IFINDEX = 1;

/** "default" and "local" tables hold what everybody has; only these overlaps are conflicts. */
const BENIGN_ROUTE_TYPES: ReadonlySet<number> = new Set([3, 5]); // RTN_BROADCAST, RTN_MULTICAST

type Request<Op extends HelperRequest["op"]> = Extract<HelperRequest, { op: Op }>;

/** A reply's value, with the descriptors that go with it. */
export interface HostReply<T> {
  readonly value: T;
  readonly fds: readonly number[];
}

interface OpenLink {
  readonly name: string;
  readonly ifindex: number;
  readonly ranges: readonly Prefix[];
  readonly prefix6: Prefix | null;
}

/** The machine, as changed for one client. */
export class Host implements AsyncDisposable {
  readonly #shim: Shim;
  readonly #dns: OsDns;
  readonly #guard: Guard | null;
  #link: OpenLink | null = null;
  #routes: readonly Prefix[] = [];
  #watch: AbortController | null = null;
  #watching: Promise<void> = Promise.resolve();

  private constructor(shim: Shim, dns: OsDns, guard: Guard | null) {
    this.#shim = shim;
    this.#dns = dns;
    this.#guard = guard;
  }

  /** Opens the journal, which first undoes what a crash left, and posts a guard. */
  static async open(shim: Shim, journalDir: string, repair: GuardCommand): Promise<Host> {
    const dns = await OsDns.open({ journalDir });
    return new Host(shim, dns, Guard.start(shim, repair));
  }

  /** What the journal's repair did, line by line. */
  get repaired(): readonly string[] {
    return this.#dns.repaired;
  }

  async detect(request: Request<"detect">): Promise<HostReply<Detected>> {
    const choice = await this.#dns.detect(request.mode);
    const value = {
      backend: choice.backend,
      why: [...choice.why],
      warnings: [...choice.warnings],
      needs_port_53: serverNeedsPort53(choice.backend),
    };
    return { value, fds: [] };
  }

  /**
   * Makes the TUN with its addresses, and opens the raw sockets of the datapath. No route leads there yet.
   *
   * @throws OsError `tun-busy`, `tun-open-denied`, `tun-missing`; VnetError `range-conflict`, `range-refused`.
   */
  open(request: Request<"open">): HostReply<Opened> {
    if (this.#link !== null) throw new VnetError("helper-busy", "The link is open already");
    const ranges = request.ipv4.ranges.map(parsePrefix);
    const prefix6 = request.ipv6 === null ? null : parsePrefix(request.ipv6.prefix);
    const wanted = prefix6 === null ? ranges : [...ranges, prefix6];
    for (const prefix of wanted) refusePublic(prefix);
    const steps: string[] = [];
    for (const range of wanted) this.#destroyStale(range, steps);
    const tun = openTun(this.#shim, { name: request.link, vnetHeader: true });
    const fds = [tun.fd];
    try {
      this.#refuseConflicts(wanted, tun.ifindex);
      steps.push(`tun add ${tun.name}`);
      linkUp(this.#shim, tun.ifindex, LINK_MTU);
      steps.push(`link set ${tun.name} mtu ${LINK_MTU} up`);
      addAddress(this.#shim, tun.ifindex, parseIp(request.ipv4.self), 32);
      steps.push(`address add ${request.ipv4.self}/32 dev ${tun.name}`);
      const hasIpv6 = request.ipv6 !== null && this.#addIpv6(tun.ifindex, request.ipv6.self);
      if (hasIpv6) steps.push(`address add ${request.ipv6?.self}/128 dev ${tun.name}`);
      fds.push(openRaw(this.#shim, 4, tun.ifindex));
      if (hasIpv6) fds.push(openRaw(this.#shim, 6, tun.ifindex));
      this.#link = {
        name: tun.name,
        ifindex: tun.ifindex,
        ranges,
        prefix6: hasIpv6 ? prefix6 : null,
      };
      const value = {
        link: tun.name,
        ifindex: tun.ifindex,
        vnet_header: tun.vnetHeader,
        has_ipv6: hasIpv6,
        steps,
      };
      return { value, fds };
    } catch (thrown) {
      for (const fd of fds) closeFd(this.#shim, fd);
      throw thrown;
    }
  }

  /** Opens UDP and TCP port 53 on a loopback address of vnet's own. */
  dnsSockets(request: Request<"dns-sockets">): HostReply<Record<string, never>> {
    const endpoint = { address: parseIp(request.address), port: 53 };
    const udpFd = udpBind(this.#shim, endpoint);
    try {
      return { value: {}, fds: [udpFd, tcpListen(this.#shim, endpoint)] };
    } catch (thrown) {
      closeFd(this.#shim, udpFd);
      throw thrown;
    }
  }

  /**
   * Lets a listener of the client's see only what arrived on the loopback or the link, from one address. Some
   * kernels let nobody without privilege attach such a filter.
   */
  guard(request: Request<"guard">, fds: readonly number[]): HostReply<Record<string, never>> {
    const [listener] = fds;
    if (listener === undefined) throw new VnetError("helper-order", "No listener came along");
    const links = [LOOPBACK_IFINDEX, this.#requireLink().ifindex];
    guardListener(this.#shim, listener, links, { source: parseIp(request.source) });
    return { value: {}, fds: [] };
  }

  /** Sets routes and the operating system's DNS to just this; an empty request takes all of it back. */
  async apply(
    request: Request<"apply">,
    onChange: (change: Change) => void,
  ): Promise<HostReply<Applied>> {
    const link = this.#requireLink();
    const steps = this.#applyRoutes(request.routes.map(parsePrefix), link);
    if (request.dns === null) {
      steps.push(...await this.#stopDns());
      const value = { backend: "none", why: [], warnings: [], upstreams: [], search: [], steps };
      return { value, fds: [] };
    }
    for (const zone of request.dns.zones) {
      if (isPublicSuffix(zone)) {
        throw new VnetError("zone-refused", `Zone "${zone}" belongs to everybody`);
      }
    }
    const applied = await this.#dns.apply({
      link: link.name,
      ifindex: link.ifindex,
      server: { address: parseIp(request.dns.server.address), port: request.dns.server.port },
      zones: request.dns.zones,
      mode: request.dns.mode,
      guarded: this.#guard !== null,
    });
    this.#followDns(onChange);
    const value = {
      backend: applied.backend,
      why: [...applied.why],
      warnings: [...applied.warnings],
      upstreams: applied.upstreams.map(({ address, port }) => ({
        address: formatIp(address),
        port,
      })),
      search: [...applied.search],
      steps: [...steps, ...applied.steps],
    };
    return { value, fds: [] };
  }

  /** Takes back everything; what is gone already is no error. Connections through the range end at once. */
  async revert(): Promise<readonly string[]> {
    const steps: string[] = [];
    const link = this.#link;
    this.#link = null;
    if (link !== null) {
      const prefixes = link.prefix6 === null ? link.ranges : [...link.ranges, link.prefix6];
      for (const prefix of prefixes) this.#destroyStale(prefix, steps);
    }
    for (const route of this.#routes) {
      if (link !== null) this.#removeRoute(link, route, steps);
    }
    this.#routes = [];
    steps.push(...await this.#stopDns());
    return steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.revert();
    await this.#dns.close();
    await this.#guard?.[Symbol.asyncDispose]();
  }

  #requireLink(): OpenLink {
    if (this.#link === null) throw new VnetError("helper-order", "Nothing is open yet");
    return this.#link;
  }

  #refuseConflicts(wanted: readonly Prefix[], ownIfindex: number): void {
    const taken = [
      ...listRoutes(this.#shim)
        .filter((route) => route.prefix.length > 0 && !BENIGN_ROUTE_TYPES.has(route.type)),
      ...listAddresses(this.#shim)
        .map(({ address, ifindex }) => ({
          prefix: { address, length: address.family === 4 ? 32 : 128 },
          ifindex,
        })),
    ];
    for (const { prefix, ifindex } of taken) {
      const range = wanted.find((range) => ifindex !== ownIfindex && overlaps(range, prefix));
      if (range === undefined) continue;
      throw new VnetError(
        "range-conflict",
        `Cannot use ${formatPrefix(range)}: this machine has a route or address in it already, ${
          formatPrefix(prefix)
        }`,
        { hint: "Pass --cidr with a range that nothing else uses, for example 100.96.0.0/12" },
      );
    }
  }

  #addIpv6(ifindex: number, self: string): boolean {
    try {
      addAddress(this.#shim, ifindex, parseIp(self), 128);
      return true;
    } catch (thrown) {
      // IPv6 switched off on this machine: IPv4 alone will do.
      if (
        thrown instanceof OsError && ["EACCES", "EOPNOTSUPP", "EAFNOSUPPORT"].includes(thrown.errno)
      ) {
        return false;
      }
      throw thrown;
    }
  }

  #destroyStale(prefix: Prefix, steps: string[]): void {
    try {
      const count = destroySockets(this.#shim, prefix);
      if (count > 0) steps.push(`sockets destroy ${count} to ${formatPrefix(prefix)}`);
    } catch (thrown) {
      // A kernel without INET_DIAG_DESTROY: clients of a dead daemon time out instead.
      log.warning("Cannot end old connections", { error: String(thrown) });
    }
  }

  #applyRoutes(wanted: readonly Prefix[], link: OpenLink): string[] {
    const steps: string[] = [];
    const allowed = link.prefix6 === null ? link.ranges : [...link.ranges, link.prefix6];
    const texts = wanted.map(formatPrefix);
    for (const route of wanted) {
      if (!allowed.some((prefix) => formatPrefix(prefix) === formatPrefix(route))) {
        throw new VnetError("range-refused", `Route ${formatPrefix(route)} was not opened`);
      }
    }
    const present = this.#routes.map(formatPrefix);
    for (const route of this.#routes) {
      if (!texts.includes(formatPrefix(route))) this.#removeRoute(link, route, steps);
    }
    for (const route of wanted) {
      if (present.includes(formatPrefix(route))) continue;
      addRoute(this.#shim, link.ifindex, route, { congestion: "cubic" });
      steps.push(`route add ${formatPrefix(route)} dev ${link.name}`);
    }
    this.#routes = wanted;
    return steps;
  }

  #removeRoute(link: OpenLink, route: Prefix, steps: string[]): void {
    if (!removeRoute(this.#shim, link.ifindex, route)) return; // The device took it along.
    steps.push(`route remove ${formatPrefix(route)} dev ${link.name}`);
  }

  #followDns(onChange: (change: Change) => void): void {
    if (this.#watch !== null) return;
    this.#watch = new AbortController();
    this.#watching = this.#dns.watch(onChange, this.#watch.signal).catch((thrown) => {
      log.warning("Stopped following the machine's DNS settings", { error: String(thrown) });
    });
  }

  async #stopDns(): Promise<readonly string[]> {
    this.#watch?.abort();
    this.#watch = null;
    await this.#watching;
    return await this.#dns.revert();
  }
}

function refusePublic(prefix: Prefix): void {
  if (isPrivatePrefix(prefix)) return;
  throw new VnetError(
    "range-refused",
    `Cannot use ${formatPrefix(prefix)}: it is public address space`,
    {
      hint: "Use a range inside 100.64.0.0/10, 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
    },
  );
}
