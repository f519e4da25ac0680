/**
 * Which names of addresses the host's resolver is to ask us.
 *
 * @module
 */
import { type DomainName, parseReverseName, reverseZones } from "../../../dns/mod.ts";
import type { Prefix } from "../../../ip/mod.ts";

/** How many reverse zones one machine claims beside those of its apps: systemd-resolved takes 256 in all. */
const MAX_CLAIMED = 70;

/**
 * The reverse zones to claim for all of some prefixes, in order. A zone that is wider than its prefix stays whoever's
 * it is, for another's addresses are in it; so do those of a prefix that would make too many.
 */
export function claimedReverseZones(prefixes: readonly Prefix[]): DomainName[] {
  const claimed = new Set<DomainName>();
  for (const prefix of prefixes) {
    if (prefix.length === 0) continue;
    const zones = reverseZones(prefix);
    const isWider = zones.some((zone) => (parseReverseName(zone)?.length ?? 0) < prefix.length);
    if (isWider || claimed.size + zones.length > MAX_CLAIMED) continue;
    for (const zone of zones) claimed.add(zone);
  }
  return [...claimed];
}
