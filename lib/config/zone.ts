/**
 * Which zones anybody may name at all, in a file or in a cluster's answer.
 *
 * @module
 */
import { getPublicSuffix } from "tldts";

/** Zones that are never one cluster's to claim, whoever says so. */
const RESERVED_ZONES: readonly string[] = [
  "local",
  "localhost",
  "in-addr.arpa",
  "ip6.arpa",
  "onion",
];

/**
 * How many zones one machine claims: with the reverse zones they stay below the 256 that systemd-resolved takes for a
 * link, and however long their names are, they fit one message to the helper.
 */
export const MAX_ZONES = 180;

/** Tells whether a zone may not be claimed by anybody, whoever says so. */
export function isEverybodys(zone: string): boolean {
  return isPublicSuffix(zone) ||
    RESERVED_ZONES.some((name) => zone === name || zone.endsWith(`.${name}`));
}

/** Single labels count as public: no cluster may claim a whole top-level domain. */
export function isPublicSuffix(zone: string): boolean {
  return !zone.includes(".") || getPublicSuffix(zone, { allowPrivateDomains: false }) === zone;
}
