/**
 * What a routing table means, and where in it a range is free.
 *
 * @module
 * @see rtnetlink(7)
 */
import { foreignPrefixes, placeRanges } from "../plan/mod.ts";
import { contains, type IpAddress, overlaps, type Prefix } from "../ip/mod.ts";
import type { LinkFacts, NetworkFacts, RouteFacts } from "./facts.ts";

export const RTN_UNICAST = 1;
/** RTN_BROADCAST, RTN_MULTICAST, RTN_THROW. */
const LEADS_NOWHERE: ReadonlySet<number> = new Set([3, 5, 9]);

/** Wider than any private network: a part of a default route that was split. */
const DEFAULT_ROUTE_BITS = 7;

const TABLE_MAIN = 254;
const TABLE_LOCAL = 255;

/** One thing of the machine that lies in a range. */
interface Conflict {
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

/**
 * Finds the range that vnet would take instead of one that is taken.
 *
 * @param others What else must not lie in it: addresses of resolvers.
 * @returns `null` when no private range is free.
 */
export function findFreeRange(
  network: NetworkFacts,
  range: Prefix,
  others: readonly Prefix[],
  ownIfindex: number,
): Prefix | null {
  const [move] = placeRanges({
    wanted: [range],
    inUse: new Map(),
    remembered: new Map(),
    foreign: [...foreignPrefixes(network, ownIfindex), ...others],
    granted: null, // A suggestion: whoever types it says so.
  });
  return move?.placed ?? null;
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

function nameOf(links: readonly LinkFacts[], ifindex: number): string {
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

/** Default routes, also when split in two, are everybody's, and the local table repeats the addresses. */
function leadsSomewhere({ prefix, type, table }: RouteFacts): boolean {
  return prefix.length > DEFAULT_ROUTE_BITS && table !== TABLE_LOCAL && !LEADS_NOWHERE.has(type);
}
