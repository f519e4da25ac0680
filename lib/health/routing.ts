/**
 * What a routing table means, and where in it a range is free.
 *
 * @module
 * @see rtnetlink(7)
 */
import { freeSlice } from "../cidr/mod.ts";
import { contains, type IpAddress, overlaps, parsePrefix, type Prefix } from "../ip/mod.ts";
import type { LinkFacts, NetworkFacts, RouteFacts } from "./facts.ts";

export const RTN_UNICAST = 1;
const RTN_BROADCAST = 3;
const RTN_MULTICAST = 5;

const TABLE_MAIN = 254;
const TABLE_LOCAL = 255;

/** Where slices are looked for, the one nobody else's home network has first. */
const PRIVATE_IPV4 = ["100.64.0.0/10", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/** A slice of this size is plenty, and easily found. */
const SLICE_LENGTHS = [16, 20, 24];

/** One thing of the machine that lies in a range. */
export interface Conflict {
  readonly range: Prefix;
  readonly taken: Prefix;
  readonly kind: "route" | "address";
  readonly link: string;
  /** It leads packets of the range elsewhere, for it is at least as specific as the range. */
  readonly steals: boolean;
}

/** Finds everything of other links that lies in the ranges; `ownIfindex` is -1 when there is no link of ours. */
export function findConflicts(
  network: NetworkFacts,
  ranges: readonly Prefix[],
  ownIfindex: number,
): readonly Conflict[] {
  const taken = takenBy(network, ownIfindex);
  return ranges.flatMap((range) =>
    taken.filter(({ prefix }) => overlaps(range, prefix)).map(({ prefix, kind, ifindex }) => ({
      range,
      taken: prefix,
      kind,
      link: nameOf(network.links, ifindex),
      steals: prefix.length >= range.length,
    }))
  );
}

/** Finds a range of private addresses that nothing on this machine touches, or `null`. */
export function findFreeRange(
  network: NetworkFacts,
  avoid: readonly Prefix[],
  ownIfindex: number,
): Prefix | null {
  const taken = [...takenBy(network, ownIfindex).map(({ prefix }) => prefix), ...avoid];
  for (const length of SLICE_LENGTHS) {
    for (const within of PRIVATE_IPV4) {
      const slice = freeSlice(parsePrefix(within), taken, length);
      if (slice !== null) return slice;
    }
  }
  return null;
}

/** The link that the main tables lead to; `null` where there is no way. Policy rules are not looked at. */
export function linkTo(network: NetworkFacts, address: IpAddress): string | null {
  const fitting = network.routes.filter(({ prefix, table }) =>
    (table === TABLE_MAIN || table === TABLE_LOCAL) && contains(prefix, address)
  );
  const [best] = fitting.toSorted((a, b) =>
    b.prefix.length - a.prefix.length || a.metric - b.metric
  );
  return best === undefined || best.ifindex === 0 ? null : nameOf(network.links, best.ifindex);
}

export function nameOf(links: readonly LinkFacts[], ifindex: number): string {
  return links.find((link) => link.ifindex === ifindex)?.name ?? `link ${ifindex}`;
}

function takenBy({ routes, addresses }: NetworkFacts, ownIfindex: number) {
  const isForeign = ({ ifindex }: { readonly ifindex: number }) => ifindex !== ownIfindex;
  return [
    ...routes.filter((route) => isForeign(route) && leadsSomewhere(route))
      .map(({ prefix, ifindex }) => ({ prefix, ifindex, kind: "route" as const })),
    ...addresses.filter(isForeign).map(({ address, ifindex }) => ({
      prefix: { address, length: address.family === 4 ? 32 : 128 },
      ifindex,
      kind: "address" as const,
    })),
  ];
}

/** Default routes are everybody's, and the local table repeats the addresses. */
function leadsSomewhere({ prefix, type, table }: RouteFacts): boolean {
  return prefix.length > 0 && table !== TABLE_LOCAL && type !== RTN_BROADCAST &&
    type !== RTN_MULTICAST;
}
