/**
 * Where the ranges of the clusters lie on this machine: not where somebody else has routes or addresses.
 *
 * @module
 */
import { formatPrefix, type Prefix } from "../../ip/mod.ts";
import {
  compilePlan,
  placeRanges,
  type Plan,
  type PlanSource,
  type RangeConsent,
  type RangeMove,
  type ZoneKnowledge,
} from "../../plan/mod.ts";
import type { StateFinding } from "./finding.ts";

interface PlaceInput {
  readonly sources: readonly PlanSource[];
  readonly zones: ZoneKnowledge;
  readonly consent: RangeConsent;
  /** Where ranges lie that are in use, by the text of the one they stand for: they stay. */
  readonly inUse: ReadonlyMap<string, Prefix>;
  /** Where they lay the last time. */
  readonly remembered: ReadonlyMap<string, Prefix>;
  /** What others route or own. */
  readonly foreign: readonly Prefix[];
}

/** A plan with its ranges in their places. */
interface PlacedPlan {
  readonly plan: Plan;
  /** Where its ranges lie, by the text of the one they stand for. */
  readonly places: ReadonlyMap<string, Prefix>;
  /** The ranges that lie elsewhere than their clusters say. */
  readonly moves: readonly RangeMove[];
}

/** Compiles a plan with ranges that nobody else uses. */
export function placePlan(input: PlaceInput): PlacedPlan {
  const { sources, zones, consent, inUse, remembered, foreign } = input;
  const { ranges } = compilePlan(sources, { range: null, zones, consent });
  const wanted = new Set(ranges.map(formatPrefix));
  const standing = new Map([...inUse].filter(([text]) => wanted.has(text)));
  const { granted } = consent;
  const moves = placeRanges({ wanted: ranges, inUse: standing, remembered, foreign, granted });
  const places = new Map(ranges.map((range) => [formatPrefix(range), range]));
  for (const { wanted, placed } of moves) places.set(formatPrefix(wanted), placed);
  return { plan: compilePlan(sources, { range: null, zones, consent, places }), places, moves };
}

/** Says what became of ranges; `null` when all of them lie where they were meant to. */
export function describeMoves(moves: readonly RangeMove[]): StateFinding | null {
  if (moves.length === 0) return null;
  const parts = moves.map(({ wanted, placed, obstacle }) => {
    const why = obstacle === null
      ? "where they were when something else used it"
      : `this machine has a route or address in it already, ${formatPrefix(obstacle)}`;
    return `${formatPrefix(placed)} instead of ${formatPrefix(wanted)} (${why})`;
  });
  return {
    code: "range-moved",
    message: `Addresses come from ${parts.join(", and from ")}`,
    hint: "No action needed; use --cidr to choose a range",
  };
}
