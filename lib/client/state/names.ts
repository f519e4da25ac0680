/**
 * From a plan and its addresses to what DNS questions are judged by, and back from an address to its app.
 *
 * @module
 */
import { type DomainName, type NameEntry, NameTable, type Trouble } from "../../dns/mod.ts";
import { formatIp, type IpAddress, type Prefix } from "../../ip/mod.ts";
import type { AppTarget, Plan } from "../../plan/mod.ts";
import type { LinkAddresses, NameAddresses } from "./book.ts";
import { deniedTrouble, removedTrouble, type Troubles } from "./troubles.ts";

/** Where a virtual address leads. */
export interface Destination {
  readonly name: string;
  readonly target: AppTarget;
}

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
  readonly troubles: Troubles;
  /** What is said of all names of a login, by profile. */
  readonly profiles: ReadonlyMap<string, Trouble>;
}

const NO_ADDRESSES = { ipv4: null, ipv6: null };

/** Compiles the names of a plan. */
export function compileNames(options: NamesOptions): Names {
  const { plan, addresses, link, ipv6, troubles, profiles } = options;
  const names = new Map<DomainName, NameEntry>();
  const destinations = new Map<string, Destination>();
  for (const name of troubles.removed.keys()) {
    names.set(name, { ...NO_ADDRESSES, trouble: removedTrouble() });
  }
  for (const [name, target] of plan.targets) {
    const given = addresses.get(name) ?? null;
    const denied = troubles.denied.get(target.appId);
    const trouble = profiles.get(target.profile) ?? (denied && deniedTrouble(denied.code));
    names.set(name, {
      ipv4: given?.ipv4 ?? null,
      ipv6: ipv6 ? given?.ipv6 ?? null : null,
      ...(trouble === undefined ? {} : { trouble }),
    });
    if (given === null) continue;
    destinations.set(formatIp(given.ipv4), { name, target });
    destinations.set(formatIp(given.ipv6), { name, target });
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
