/**
 * From a plan and its addresses to what DNS questions are judged by, and back from an address to its app.
 *
 * @module
 */
import type { AppTarget, Plan } from "../../plan/mod.ts";
import { type DomainName, type NameEntry, NameTable, type Trouble } from "../../dns/mod.ts";
import { formatIp, type IpAddress, type Prefix } from "../../ip/mod.ts";
import type { LinkAddresses, NameAddresses } from "./address_book.ts";
import type { Destination } from "../flows/flows.ts";

/** The names of a plan with their addresses: immutable, made anew when the plan changes. */
export interface Names {
  readonly table: NameTable;
  readonly addresses: ReadonlyMap<DomainName, NameAddresses | null>;
  readonly destinations: ReadonlyMap<string, Destination>;
}

export interface NamesOptions {
  readonly plan: Plan;
  readonly addresses: ReadonlyMap<DomainName, NameAddresses | null>;
  readonly link: LinkAddresses;
  /** Whether this machine's link has IPv6; without it no AAAA is given. */
  readonly ipv6: boolean;
  /** Whether all of the machine's DNS passes through us. */
  readonly allDns: boolean;
  /** What is to be said instead of addresses; nothing if not given. */
  readonly troubles?: Troubles;
}

/** Why names have no usable address. */
export interface Troubles {
  /** By profile, for all names of its apps. */
  readonly profiles: ReadonlyMap<string, Trouble>;
  /** By an app's id. */
  readonly denied: ReadonlyMap<string, Trouble>;
  /** Names that the plan does not have any more. */
  readonly removed: ReadonlyMap<DomainName, Trouble>;
}

const NO_TROUBLES: Troubles = { profiles: new Map(), denied: new Map(), removed: new Map() };

const NO_ADDRESSES = { ipv4: null, ipv6: null };

/** Compiles the names of a plan. */
export function compileNames(options: NamesOptions): Names {
  const { plan, addresses, link, ipv6, troubles = NO_TROUBLES } = options;
  const names = new Map<DomainName, NameEntry>();
  const destinations = new Map<string, Destination>();
  for (const [name, trouble] of troubles.removed) names.set(name, { ...NO_ADDRESSES, trouble });
  for (const [name, target] of plan.targets) {
    const given = addresses.get(name) ?? null;
    const trouble = troubles.profiles.get(target.profile) ?? troubles.denied.get(target.appId);
    names.set(name, {
      ipv4: given?.ipv4 ?? null,
      ipv6: ipv6 ? given?.ipv6 ?? null : null,
      ...(trouble === undefined ? {} : { trouble }),
    });
    if (given === null) continue;
    addDestination(destinations, given, { name, target });
  }
  const reverse: Prefix[] = [...plan.ranges];
  if (ipv6) reverse.push(link.prefix6);
  const table = new NameTable({
    zones: plan.zones.map((suffix) => ({ suffix, private: plan.privateZones.has(suffix) })),
    names,
    excluded: plan.excluded,
    reverse,
    probe: { ipv4: link.self4, ipv6: ipv6 ? link.self6 : null },
    canary: options.allDns,
  });
  return { table, addresses, destinations };
}

/** Finds the app behind a virtual address. */
export function destinationOf(names: Names, address: IpAddress): Destination | null {
  return names.destinations.get(formatIp(address)) ?? null;
}

function addDestination(
  destinations: Map<string, Destination>,
  given: NameAddresses,
  destination: { readonly name: string; readonly target: AppTarget },
): void {
  destinations.set(formatIp(given.ipv4), destination);
  destinations.set(formatIp(given.ipv6), destination);
}
