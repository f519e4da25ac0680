/**
 * The back end that has systemd-resolved send our zones to us, and nothing else.
 *
 * @module
 */
import { parseResolvConf } from "../../../../dns/mod.ts";
import { equalEndpoint } from "../../../../ip/mod.ts";
import type { Backend, Condition, Place } from "./backend.ts";
import { followBus } from "../../dbus/follow.ts";
import { Dbus } from "../../dbus/dbus.ts";
import { linkName } from "../../net/netlink.ts";
import { loadShim } from "../../shim.ts";
import { inUse } from "../in_use.ts";
import { RESOLVED } from "../../dbus/names.ts";
import {
  applyResolved,
  isDefaultRoute,
  planResolved,
  type ResolvedDomain,
  resolvedDomains,
  resolvedFallbacks,
  type ResolvedServer,
  resolvedServers,
  revertResolved,
} from "./resolved_settings.ts";
import type { OsDnsRequest, Upstreams } from "../types.ts";
import { readLink, type ResolvedLink } from "./resolved_link.ts";
import { isOwn, nameserver, upstreamsOf } from "../find/upstreams.ts";

/** What the helper calls its links. */
const VNET_LINK = /^vnet\d+$/;

const LOOK_AGAIN_MS = 15_000;

export class ResolvedBackend implements Backend {
  readonly kind = "resolved";
  readonly #place: Place;
  /** A new resolved may not know what the old one was told. */
  #isRestarted = false;

  constructor(place: Place) {
    this.#place = place;
  }

  plan(request: OsDnsRequest): Promise<string[]> {
    return Promise.resolve(planResolved(request));
  }

  /** @throws OsError `dns-in-use` when another vnet has one of the zones */
  async apply(request: OsDnsRequest): Promise<void> {
    await using bus = await this.#connect();
    // What cannot be asked cannot be set either, and says so itself.
    this.#refuseTaken(await resolvedDomains(bus).catch(() => []), request);
    this.#isRestarted = false;
    await applyResolved(bus, request);
  }

  async condition(request: OsDnsRequest): Promise<Condition> {
    await using bus = await this.#connect();
    if (!await bus.hasOwner(RESOLVED.destination)) {
      return {
        kind: "absent",
        why: "systemd-resolved has stopped: names do not resolve on this host",
      };
    }
    if (this.#isRestarted) return { kind: "undone", why: "systemd-resolved was restarted" };
    const link = await readLink(bus, request.ifindex).catch(() => null);
    const why = link === null ? lost(request) : difference(link, request);
    return why === null ? { kind: "intact" } : { kind: "undone", why };
  }

  async upstreams(request: OsDnsRequest): Promise<Upstreams> {
    await using bus = await this.#connect();
    const domains = await resolvedDomains(bus);
    let candidates = await this.#candidates(bus, request);
    if (candidates.length === 0) candidates = await resolvedFallbacks(bus);
    const endpoints = candidates.map((row) => row.endpoint);
    return upstreamsOf({
      candidates: endpoints.length > 0 ? endpoints : await this.#uplinkFile(),
      search: domains.filter((row) => !row.isRouteOnly && row.ifindex !== request.ifindex)
        .map((row) => row.domain),
      server: request.server,
      dropStubs: true,
      warnings: rivalWarnings(domains, request),
    });
  }

  async revert(request: OsDnsRequest): Promise<string[]> {
    try {
      await using bus = await this.#connect();
      await revertResolved(bus, request.ifindex);
    } catch {
      return [`left link ${request.link} alone: the message bus is gone, its settings end with it`];
    }
    return [`resolve1 RevertLink ${request.link}`];
  }

  async follow(poke: () => void, signal: AbortSignal): Promise<void> {
    // It tells of servers, but not of domains and switches.
    const timer = setInterval(poke, this.#place.lookAgainMs ?? LOOK_AGAIN_MS);
    try {
      await this.#followBus(poke, signal);
    } finally {
      clearInterval(timer);
    }
  }

  #followBus(poke: () => void, signal: AbortSignal): Promise<void> {
    return followBus({
      socket: this.#place.paths.busSocket,
      service: RESOLVED.destination,
      rules: [
        `type='signal',path='${RESOLVED.path}',interface='org.freedesktop.DBus.Properties'`,
      ],
      onOwner: (hasOwner) => {
        if (hasOwner) this.#isRestarted = true;
        poke();
      },
      onListening: poke,
      onSignal: poke,
    }, signal);
  }

  /** Global resolvers and those of links that take any name; all others only when there are none. */
  async #candidates(bus: Dbus, request: OsDnsRequest): Promise<ResolvedServer[]> {
    const others = (await resolvedServers(bus)).filter((row) =>
      row.ifindex !== request.ifindex && !isOwn(row.endpoint, request.server)
    );
    const isGeneral = new Map<number, boolean>([[0, true]]);
    for (const { ifindex } of others) {
      if (isGeneral.has(ifindex)) continue;
      isGeneral.set(ifindex, await isDefaultRoute(bus, ifindex) ?? true);
    }
    const general = others.filter((row) => isGeneral.get(row.ifindex));
    return general.length > 0 ? general : others;
  }

  /** Of two links with one zone either may answer, with addresses that the other's owner cannot use. */
  #refuseTaken(domains: readonly ResolvedDomain[], request: OsDnsRequest): void {
    const nameOf = this.#place.linkName ?? kernelsName;
    for (const { domain, ifindex } of rivalsOf(domains, request)) {
      const link = nameOf(ifindex);
      if (link === null || !VNET_LINK.test(link)) continue;
      throw inUse(`claim zone "${domain}": another vnet has it on "${link}"`, "SetLinkDomains");
    }
  }

  async #uplinkFile() {
    const text = await Deno.readTextFile(this.#place.paths.resolvedUplinks).catch(() => "");
    return parseResolvConf(text).addresses.map(nameserver);
  }

  #connect(): Promise<Dbus> {
    return Dbus.connect({ socket: this.#place.paths.busSocket });
  }
}

const NAMED_RIVALS = 3;

/** Says in which way a link is not as we set it; `null` when it is. */
function difference(link: ResolvedLink, request: OsDnsRequest): string | null {
  const has = (zone: string) =>
    link.domains.some((row) => row.ifindex === request.ifindex && row.domain === zone);
  const isAsked = link.servers.some((one) => equalEndpoint(one, request.server));
  if (!isAsked || !request.zones.every(has)) return lost(request);
  const isOn = (value: string | null) => value !== null && value !== "no";
  const switched = [
    ...link.defaultRoute === true ? ["DefaultRoute"] : [],
    ...isOn(link.dnssec) ? ["DNSSEC"] : [],
    ...isOn(link.dnsOverTls) ? ["DNSOverTLS"] : [],
  ];
  if (switched.length === 0) return null;
  return `${switched.join(" and ")} was switched on for link "${request.link}"`;
}

function lost({ link }: OsDnsRequest): string {
  return `link "${link}" lost its settings in systemd-resolved`;
}

/** The same domain on two links is asked on both, and the first answer wins. */
export function rivalWarnings(
  domains: readonly ResolvedDomain[],
  request: Pick<OsDnsRequest, "ifindex" | "zones">,
): string[] {
  const rivals = new Map<number, string[]>();
  for (const { ifindex, domain } of rivalsOf(domains, request)) {
    rivals.set(ifindex, [...rivals.get(ifindex) ?? [], `"${domain}"`]);
  }
  return [...rivals].map(([ifindex, zones]) => {
    const named = zones.slice(0, NAMED_RIVALS).join(", ");
    const more = zones.length - NAMED_RIVALS;
    const which = more > 0
      ? `zones ${named} and ${more} more are`
      : zones.length === 1
      ? `zone ${named} is`
      : `zones ${named} are`;
    return `${which} claimed by interface ${ifindex} as well: either may answer`;
  });
}

function rivalsOf(
  domains: readonly ResolvedDomain[],
  request: Pick<OsDnsRequest, "ifindex" | "zones">,
): ResolvedDomain[] {
  const wanted = new Set(request.zones);
  return domains.filter(({ ifindex, domain }) => ifindex !== request.ifindex && wanted.has(domain));
}

function kernelsName(ifindex: number): string | null {
  try {
    return ifindex === 0 ? null : linkName(loadShim(), ifindex);
  } catch {
    return null; // it went away while we looked
  }
}
