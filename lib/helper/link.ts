/**
 * The link of one client: its addresses, and the routes that lead into it. It knows what it made, takes exactly
 * that back, and puts back what somebody else removed.
 *
 * @module
 */
import { type HelperRequest } from "../wire/mod.ts";
import { OsError, VnetError } from "../error.ts";
import {
  contains,
  covers,
  equalPrefix,
  formatIp,
  formatPrefix,
  type IpAddress,
  overlaps,
  parseIp,
  parsePrefix,
  type Prefix,
  without,
} from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import type { RootMachine } from "../os/mod.ts";
import { listForeign, type RangeTerms, refuseRanges } from "./ranges.ts";

const log = getLogger("helper");

/** The biggest a TUN may be; with offloads the kernel hands over 64 KiB at a time. */
const LINK_MTU = 65_535;

/** The kernel counts up to the first free name. */
const FIRST_FREE = "vnet%d";

const MAIN_TABLE = 254;
const RTN_UNICAST = 1;

/** What a link needs of the machine. */
type Ground = Pick<RootMachine, "links" | "routing" | "sockets">;

/** Not of the range itself: too many errnos say that this machine has no IPv6. */
const IPV6_OFF: ReadonlySet<string> = new Set(["EACCES", "EOPNOTSUPP", "EAFNOSUPPORT"]);

type OpenRequest = Extract<HelperRequest, { op: "open" }>;

/** A link, with the descriptors that its client gets. */
interface OpenedLink {
  readonly link: Link;
  /** The TUN, then a raw socket for each family. */
  readonly fds: readonly number[];
  readonly vnetHeader: boolean;
  readonly steps: readonly string[];
}

/** One TUN with its addresses and routes. */
export class Link {
  readonly name: string;
  readonly ifindex: number;
  readonly hasIpv6: boolean;
  readonly #machine: Ground;
  readonly #addresses: readonly IpAddress[];
  #routes: readonly Prefix[] = [];
  readonly #forwarding: boolean;
  #unlimited: string | null = null;

  private constructor(
    machine: Ground,
    made: { readonly name: string; readonly ifindex: number },
    { addresses, forwarding }: {
      readonly addresses: readonly IpAddress[];
      readonly forwarding: boolean;
    },
  ) {
    this.#machine = machine;
    this.name = made.name;
    this.ifindex = made.ifindex;
    this.#addresses = addresses;
    this.#forwarding = forwarding;
    this.hasIpv6 = addresses.some(({ family }) => family === 6);
  }

  /**
   * Makes the TUN with its addresses, and the sockets of the datapath. No route leads there yet.
   *
   * @param forwarding Whether what comes out of the link may be forwarded, as containers need it.
   * @throws OsError `tun-busy`, `tun-open-denied`, `tun-missing`; what `refuseRanges` throws
   */
  static open(
    machine: Ground,
    request: OpenRequest,
    forwarding: boolean,
    terms: RangeTerms,
  ): OpenedLink {
    const self4 = parseIp(request.ipv4.self);
    const self6 = request.ipv6 === null ? null : parseIp(request.ipv6.self);
    const range = parsePrefix(request.ipv4.range);
    const prefix6 = request.ipv6 === null ? null : parsePrefix(request.ipv6.prefix);
    const wanted = prefix6 === null ? [range] : [range, prefix6];
    refuseRanges(machine, wanted, terms, null);
    refuseOutside(self4, range);
    if (self6 !== null && prefix6 !== null) refuseOutside(self6, prefix6);
    const steps: string[] = [];
    for (const prefix of wanted) destroyStale(machine, prefix, steps);
    const tun = machine.links.openTun({ name: request.link ?? FIRST_FREE, vnetHeader: true });
    const fds = [tun.fd];
    try {
      steps.push(`tun add ${tun.name}`);
      machine.links.up(tun.ifindex, LINK_MTU);
      steps.push(`link set ${tun.name} mtu ${LINK_MTU} up`);
      confine(machine, tun.name, forwarding, steps);
      const addresses = [self4, ...(self6 === null ? [] : [self6])].filter((address) => {
        const added = tryAddAddress(machine, tun.ifindex, address);
        if (added) steps.push(`address add ${formatHost(address)} dev ${tun.name}`);
        return added;
      });
      for (const { family } of addresses) {
        fds.push(machine.sockets.openRaw(family, tun.ifindex));
      }
      const link = new Link(machine, tun, { addresses, forwarding });
      link.#limitSources([], steps);
      return { link, fds, vnetHeader: tun.vnetHeader, steps };
    } catch (thrown) {
      for (const fd of fds) machine.sockets.close(fd);
      throw thrown;
    }
  }

  /** Tells whether an address is one that the link was given. */
  owns(address: IpAddress): boolean {
    return this.#addresses.some((own) => formatIp(own) === formatIp(address));
  }

  /** What leads into it. */
  get routes(): readonly Prefix[] {
    return this.#routes;
  }

  /** Refuses prefixes that may not be led here. @throws what `refuseRanges` throws */
  refuse(wanted: readonly Prefix[], terms: RangeTerms): void {
    const fresh = wanted.filter((route) => !includes(this.#routes, route));
    refuseRanges(this.#machine, fresh, terms, this);
  }

  /** Why the machine takes packets from any source out of this link; `null` if it does not. */
  get unlimited(): string | null {
    return this.#unlimited;
  }

  /**
   * Leads just these prefixes, which were not refused, into the link. Connections into what is led here no more end at
   * once; those into what was led here before go on.
   *
   * @returns What was done, line by line.
   * @throws OsError `route-failed`
   */
  setRoutes(wanted: readonly Prefix[]): string[] {
    const steps: string[] = [];
    const gone = this.#routes.filter((route) => !includes(wanted, route));
    const fresh = wanted.filter((route) => !includes(this.#routes, route));
    const led = this.#routes;
    const [inner, outer] = [true, false].map((isInner) =>
      fresh.filter((route) => led.some((one) => covers(one, route)) === isInner)
    );
    // What runs in a part of a range that is given up must not be without a route for a moment.
    for (const route of inner ?? []) this.#lead(route, steps);
    for (const route of gone) {
      for (const part of without(route, wanted)) destroyStale(this.#machine, part, steps);
      this.#removeRoute(route, steps);
    }
    if (gone.length > 0 || fresh.length > 0) {
      this.#limitSources([...this.#routes, ...outer ?? []], steps);
    }
    for (const route of outer ?? []) {
      for (const part of without(route, led)) destroyStale(this.#machine, part, steps);
      this.#lead(route, steps);
    }
    return steps;
  }

  #lead(route: Prefix, steps: string[]): void {
    this.#addRoute(route);
    this.#routes = [...this.#routes, route];
    steps.push(`route add ${formatPrefix(route)} dev ${this.name}`);
  }

  /**
   * Puts back the addresses and routes that somebody removed.
   *
   * @returns What was missing, as the rest of a line; empty when all was there.
   * @throws OsError `link-unknown` when the link itself is gone
   */
  restore(): string[] {
    const lost = this.lost();
    if (lost.addresses.length === 0 && lost.routes.length === 0) return [];
    this.#machine.links.up(this.ifindex, 0); // Whoever took the link down took its routes, too.
    for (const address of lost.addresses) tryAddAddress(this.#machine, this.ifindex, address);
    // The kernel brought some of them back with the link or the address.
    for (const route of this.lost().routes) this.#addRoute(route);
    return [
      ...lost.addresses.map((address) => `address ${formatHost(address)}`),
      ...lost.routes.map((route) => `route ${formatPrefix(route)}`),
    ];
  }

  /** Looks for what is not there, though it was made. */
  lost(): { readonly addresses: readonly IpAddress[]; readonly routes: readonly Prefix[] } {
    const addresses = this.#machine.routing.addresses()
      .filter(({ ifindex }) => ifindex === this.ifindex)
      .map(({ address }) => formatIp(address));
    const routes = this.#machine.routing.routes()
      .filter(({ ifindex, table, type }) =>
        ifindex === this.ifindex && table === MAIN_TABLE && type === RTN_UNICAST
      )
      .map(({ prefix }) => prefix);
    return {
      addresses: this.#addresses.filter((address) => !addresses.includes(formatIp(address))),
      routes: this.#routes.filter((route) => !includes(routes, route)),
    };
  }

  /** Sets its bounds anew: whoever switches forwarding on for the machine does so for every link. */
  confine(): void {
    this.#machine.links.confine(this.name, { forwarding: this.#forwarding });
  }

  /** Finds what others route or own inside our routes. */
  shadowed(): readonly { readonly route: Prefix; readonly by: Prefix }[] {
    const foreign = listForeign(this.#machine, this.ifindex);
    return this.#routes.flatMap((route) => {
      const by = foreign.find((prefix) => overlaps(prefix, route));
      return by === undefined ? [] : [{ route, by }];
    });
  }

  /** Ends the connections through the link, takes its routes back, and deletes it whoever still has it open. */
  revert(): string[] {
    const steps: string[] = [];
    for (const route of this.#routes) {
      destroyStale(this.#machine, route, steps);
      this.#removeRoute(route, steps);
    }
    if (deleteLink(this.#machine, this)) steps.push(`tun delete ${this.name}`);
    return steps;
  }

  /** Its client holds the device: nothing it writes there may be in anybody else's name, to this machine neither. */
  #limitSources(allowed: readonly Prefix[], steps: string[]): void {
    try {
      const own = this.#addresses;
      const onlyTo = this.#forwarding ? [] : own.filter(({ family }) => family === 6);
      this.#machine.links.limitSources(this.ifindex, { allowed, own, onlyTo });
      this.#unlimited = null;
      if (allowed.length > 0) steps.push(sourcesLine(this.name, allowed));
    } catch (thrown) {
      if (!(thrown instanceof OsError)) throw thrown;
      this.#unlimited = thrown.message;
    }
  }

  #addRoute(route: Prefix): void {
    this.#machine.links.addRoute(this.ifindex, route, { congestion: "cubic" });
  }

  #removeRoute(route: Prefix, steps: string[]): void {
    this.#routes = this.#routes.filter((other) => other !== route);
    if (!this.#machine.links.removeRoute(this.ifindex, route)) return; // The device took it along.
    steps.push(`route remove ${formatPrefix(route)} dev ${this.name}`);
  }
}

/** Says what may come out of a link, in one line. */
function sourcesLine(link: string, allowed: readonly Prefix[]): string {
  return `filter ${link} source ${allowed.map(formatPrefix).join(" ")}`;
}

function includes(prefixes: readonly Prefix[], prefix: Prefix): boolean {
  return prefixes.some((other) => equalPrefix(other, prefix));
}

function formatHost(address: IpAddress): string {
  return `${formatIp(address)}/${address.family === 4 ? 32 : 128}`;
}

/** @returns False where IPv6 is switched off: IPv4 alone will do. */
function tryAddAddress({ links }: Ground, ifindex: number, address: IpAddress): boolean {
  try {
    links.addAddress(ifindex, address, address.family === 4 ? 32 : 128);
    return true;
  } catch (thrown) {
    if (address.family === 6 && thrown instanceof OsError && IPV6_OFF.has(thrown.errno)) {
      return false;
    }
    throw thrown;
  }
}

/** @returns False when it is gone already: its client let go of it. */
function deleteLink(
  { links, routing }: Ground,
  { name, ifindex }: Pick<Link, "name" | "ifindex">,
): boolean {
  try {
    if (routing.linkIndex(name) !== ifindex) return false;
    links.delete(ifindex);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof OsError) || thrown.errno !== "ENODEV") {
      log.warning("Cannot delete the link", { error: String(thrown) });
    }
    return false;
  }
}

function destroyStale({ sockets }: Ground, prefix: Prefix, steps: string[]): void {
  try {
    const count = sockets.destroyTo(prefix);
    if (count > 0) steps.push(`sockets destroy ${count} to ${formatPrefix(prefix)}`);
  } catch (thrown) {
    // A kernel without INET_DIAG_DESTROY: clients of a dead daemon time out instead.
    log.warning("Cannot end old connections", { error: String(thrown) });
  }
}

function refuseOutside(address: IpAddress, range: Prefix): void {
  if (contains(range, address)) return;
  const state = `it lies outside ${formatPrefix(range)}`;
  throw new VnetError("range-refused", `Cannot use address ${formatIp(address)}: ${state}`);
}

/** Its client holds the device: nothing it writes there may go on to another network in somebody's name. */
function confine(
  { links, routing }: Ground,
  name: string,
  forwarding: boolean,
  steps: string[],
): void {
  const unset = links.confine(name, { forwarding });
  steps.push(routing.confinementOf(name, { forwarding }));
  if (unset.length > 0) log.warning("Cannot confine the link", { unset: unset.join(" ") });
}
