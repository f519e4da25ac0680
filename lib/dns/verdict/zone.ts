/**
 * Zones: the suffixes we are asked about.
 *
 * @module
 * @see RFC 9499, "zone" and "apex"
 */

import { getPublicSuffix } from "tldts";
import { type DomainName, parentOf } from "../name.ts";

/** A suffix we claim. The apex itself is not inside. */
export interface Zone {
  readonly suffix: DomainName;
  /** Nobody else publishes names here: what we do not know does not exist. */
  readonly private: boolean;
}

/** Names the OS and multicast DNS treat in their own way; a claim would never see a query, or break them. */
const SPECIAL = ["local", "localhost", "invalid", "onion", "arpa"];

/**
 * All zones; the longest suffix wins.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { parseDomainName } from "../name.ts";
 * import { ZoneTable } from "./zone.ts";
 *
 * const zones = new ZoneTable([{ suffix: parseDomainName("corp.example"), private: false }]);
 * equal(zones.match("db.corp.example")?.suffix, "corp.example");
 * equal(zones.match("corp.example"), null);
 * ```
 */
export class ZoneTable {
  readonly #zones = new Map<string, Zone>();
  readonly #ancestors = new Set<string>();
  #longest = 0;

  /** @param zones A suffix claimed twice is private only if both claims say so. */
  constructor(zones: readonly Zone[]) {
    for (const zone of zones) {
      const known = this.#zones.get(zone.suffix);
      if (known === undefined || !zone.private) this.#zones.set(zone.suffix, zone);
      this.#longest = Math.max(this.#longest, zone.suffix.length);
      for (let up = parentOf(zone.suffix); up !== null; up = parentOf(up)) this.#ancestors.add(up);
    }
  }

  /**
   * Finds the zone a name lies in: the longest suffix wins, whole labels only.
   *
   * @param name Lower case, without trailing dot.
   * @returns The zone, or `null` if the name lies in none; an apex is not inside its own zone.
   */
  match(name: string): Zone | null {
    // no suffix longer than the longest zone is worth a look
    const first = name.indexOf(".", name.length - 1 - this.#longest);
    for (let dot = first; dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const zone = this.#zones.get(name.slice(dot + 1));
      if (zone !== undefined) return zone;
    }
    return null;
  }

  /** @returns The zone whose apex a name is, or `null`. */
  atApex(name: string): Zone | null {
    return this.#zones.get(name) ?? null;
  }

  /** Tells whether a zone lies below a name. */
  anyBelow(name: string): boolean {
    return this.#ancestors.has(name);
  }

  /** Every zone, sorted by suffix. */
  all(): Zone[] {
    return [...this.#zones.values()].sort((a, b) => a.suffix < b.suffix ? -1 : 1);
  }
}

/**
 * Says why a suffix must not be claimed, as a phrase that follows "because".
 *
 * Top-level domains and public suffixes (`com`, `co.uk`, `github.io`) belong to everybody below them.
 *
 * @returns `null` if nothing speaks against the claim.
 */
export function objectionToZone(suffix: DomainName): string | null {
  const top = suffix.slice(suffix.lastIndexOf(".") + 1);
  if (SPECIAL.includes(top)) return `".${top}" names are resolved in their own way`;
  if (!suffix.includes(".")) return "it is a top-level domain";
  if (getPublicSuffix(suffix, { allowPrivateDomains: true }) === suffix) {
    return "it is a public suffix, under which anybody can have names";
  }
  return null;
}
