/**
 * Where the ranges of the clusters lie on this machine: not where somebody else has routes or addresses.
 *
 * @module
 */
import {
  compilePlan,
  foreignPrefixes,
  placeRanges,
  type Plan,
  type PlanSource,
  type RangeMove,
} from "../../plan/mod.ts";
import { formatPrefix, type Prefix } from "../../ip/mod.ts";
import { listAddresses, listRoutes, type Shim } from "../../os/mod.ts";
import type { AddressBook } from "./address_book.ts";

/** A plan with its ranges in their places. */
export interface PlacedPlan {
  readonly plan: Plan;
  /** The ranges that lie elsewhere than their clusters say. */
  readonly moves: readonly RangeMove[];
}

/** The places of ranges while a daemon lives: what has one keeps it. */
export class RangePlaces {
  readonly #shim: Shim;
  readonly #book: AddressBook;
  readonly #inUse = new Map<string, Prefix>();

  constructor(shim: Shim, book: AddressBook) {
    this.#shim = shim;
    this.#book = book;
  }

  /**
   * Compiles a plan with ranges nobody else uses, and has the book remember them.
   *
   * @param ownIfindex The link of vnet itself, whose routes are in nobody's way; `null` before it is there.
   */
  compile(sources: readonly PlanSource[], ownIfindex: number | null): PlacedPlan {
    const wished = compilePlan(sources, { range: null });
    const facts = { routes: listRoutes(this.#shim), addresses: listAddresses(this.#shim) };
    const moves = placeRanges({
      wanted: wished.ranges,
      inUse: this.#inUse,
      remembered: this.#book.places,
      foreign: foreignPrefixes(facts, ownIfindex),
    });
    const places = new Map(wished.ranges.map((range) => [formatPrefix(range), range]));
    for (const { wanted, placed } of moves) places.set(formatPrefix(wanted), placed);
    for (const [wanted, placed] of places) this.#inUse.set(wanted, placed);
    this.#book.remember(places);
    return { plan: compilePlan(sources, { range: null, places }), moves };
  }
}

/** Says what became of ranges, as a finding; `null` when all of them lie where they were meant to. */
export function describeMoves(
  moves: readonly RangeMove[],
): { readonly message: string; readonly hint: string } | null {
  if (moves.length === 0) return null;
  const parts = moves.map(({ wanted, placed, obstacle }) => {
    const why = obstacle === null
      ? "where they were when something else used it"
      : `this machine has a route or address in it already, ${formatPrefix(obstacle)}`;
    return `${formatPrefix(placed)} instead of ${formatPrefix(wanted)} (${why})`;
  });
  return {
    message: `Addresses come from ${parts.join(", and from ")}`,
    hint: "Nothing needs to be done; with --cidr you choose a range yourself",
  };
}
