/**
 * Where the ranges of a plan can lie on this machine: what somebody else routes is never taken away; another slice
 * is used instead, and stays in use. Pure.
 *
 * @module
 */
import { freeSlice } from "../cidr/mod.ts";
import { RANGE_LENGTHS } from "../config/mod.ts";
import {
  CGNAT,
  formatPrefix,
  type IpAddress,
  overlaps,
  parsePrefix,
  type Prefix,
} from "../ip/mod.ts";

/** What the machine has of routes and addresses, in all tables. */
export interface NetworkFacts {
  readonly routes: readonly {
    readonly prefix: Prefix;
    readonly type: number;
    readonly ifindex: number;
  }[];
  readonly addresses: readonly { readonly address: IpAddress; readonly ifindex: number }[];
}

/** A range that cannot lie where it was meant to. */
export interface RangeMove {
  readonly wanted: Prefix;
  readonly placed: Prefix;
  /** What is in the way; `null` if nothing is any more, and the move is of an earlier day. */
  readonly obstacle: Prefix | null;
}

export interface PlaceOptions {
  /** None overlaps another. */
  readonly wanted: readonly Prefix[];
  /** Where ranges lie already, by the wanted one's text: those never move. */
  readonly inUse: ReadonlyMap<string, Prefix>;
  /** Where they lay an earlier day: the first choice, so that addresses stay what they were. */
  readonly remembered: ReadonlyMap<string, Prefix>;
  /** What somebody else has. */
  readonly foreign: readonly Prefix[];
  /** Where root lets ranges lie beside 100.64.0.0/10; `null` for all of private space. */
  readonly granted: readonly Prefix[] | null;
}

// RTN_BROADCAST, RTN_MULTICAST and RTN_THROW lead nowhere that anybody could miss.
const BENIGN_ROUTE_TYPES: ReadonlySet<number> = new Set([3, 5, 9]);

/** Wider than any private network: a route like this is a part of a default route that was split. */
const DEFAULT_ROUTE_BITS = 7;

/** Where to look for a free slice, and how large one may be at most there. */
type Space = readonly [within: Prefix, length: number];

const DEFAULT_SPACE: Space = [CGNAT, CGNAT.length];
const PRIVATE_SPACES: readonly Space[] = [
  [parsePrefix("172.16.0.0/12"), 16],
  [parsePrefix("10.0.0.0/8"), 16],
  [parsePrefix("192.168.0.0/16"), 20],
];
/** Of what root allows no more than this is taken at once: others may look for a place there, too. */
const GRANTED_LENGTH = 16;

/** First slices of a comfortable size in any space, then whatever holds names at all. */
const LONGEST: readonly number[] = [20, RANGE_LENGTHS.smallest];

/** Lists what others have routes to or addresses in; default routes and our own link's do not count. */
export function foreignPrefixes(facts: NetworkFacts, ownIfindex: number | null): Prefix[] {
  const routed = facts.routes
    .filter(({ prefix, type }) =>
      prefix.length > DEFAULT_ROUTE_BITS && !BENIGN_ROUTE_TYPES.has(type)
    );
  const owned = facts.addresses.map(({ address, ifindex }) => ({
    prefix: { address, length: address.family === 4 ? 32 : 128 },
    ifindex,
  }));
  return [...routed, ...owned].filter(({ ifindex }) => ifindex !== ownIfindex)
    .map(({ prefix }) => prefix);
}

/**
 * Finds a place for every range that cannot lie where it was meant to.
 *
 * @returns The moves, in the order of the wanted ranges. A range with nowhere to go stays where it is: whoever
 * sets it up will say that it is taken.
 */
export function placeRanges(options: PlaceOptions): RangeMove[] {
  const { wanted, inUse, remembered, foreign, granted } = options;
  const spaces = spacesOf(granted);
  const used: Prefix[] = [...inUse.values()];
  const fits = (prefix: Prefix) => ![...foreign, ...used].some((other) => overlaps(other, prefix));
  const places = new Map<string, Prefix>();
  const settle = (choose: (range: Prefix, text: string) => Prefix | null) => {
    for (const range of wanted) {
      const text = formatPrefix(range);
      const place = places.has(text) ? null : choose(range, text);
      if (place === null) continue;
      places.set(text, place);
      used.push(place);
    }
  };
  // Who has a place keeps it: one that looks for another must not be given theirs.
  settle((_range, text) => inUse.get(text) ?? null);
  settle((_range, text) => {
    const earlier = remembered.get(text);
    return earlier !== undefined && fits(earlier) && liesIn(spaces, earlier) ? earlier : null;
  });
  settle((range) => fits(range) ? range : null);
  settle((range) => {
    const others = wanted.filter((other) => other !== range);
    return findSlice([...foreign, ...used, ...others], range.length, spaces) ?? range;
  });
  return wanted.flatMap((range): RangeMove[] => {
    const text = formatPrefix(range);
    const placed = places.get(text) ?? range;
    const obstacle = foreign.find((prefix) => overlaps(prefix, range)) ?? null;
    return formatPrefix(placed) === text ? [] : [{ wanted: range, placed, obstacle }];
  });
}

function spacesOf(granted: readonly Prefix[] | null): readonly Space[] {
  if (granted === null) return [DEFAULT_SPACE, ...PRIVATE_SPACES];
  const more = granted.filter(({ length }) => length <= RANGE_LENGTHS.smallest)
    .map((within): Space => [within, Math.max(within.length, GRANTED_LENGTH)]);
  return [DEFAULT_SPACE, ...more];
}

function liesIn(spaces: readonly Space[], range: Prefix): boolean {
  return spaces.some(([within]) => within.length <= range.length && overlaps(within, range));
}

function findSlice(
  taken: readonly Prefix[],
  length: number,
  spaces: readonly Space[],
): Prefix | null {
  for (const longest of LONGEST) {
    for (const [within, shortest] of spaces) {
      for (let bits = Math.max(length, shortest); bits <= Math.max(longest, length); bits++) {
        const slice = freeSlice(within, taken, bits);
        if (slice !== null) return slice;
      }
    }
  }
  return null;
}
