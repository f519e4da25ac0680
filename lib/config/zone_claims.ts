/**
 * Which zones are claimed of those that the clusters want: nobody's whole top-level domain, and no more than fit.
 *
 * @module
 */
import { getPublicSuffix } from "tldts";
import { type DomainName, parseDomainName } from "../dns/mod.ts";
import type { PlanSource, PlanWarning } from "./plan.ts";

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

/** A zone that is claimed, and by whom. */
export interface Claim {
  readonly cluster: string;
  readonly zone: DomainName;
  /** Whether the cluster says that nobody else answers for it. A proxy's own never is. */
  readonly isPrivate: boolean;
}

/**
 * Says which zones are claimed: each login's in turn, of those each cluster's in turn, and its proxy's own first. One
 * that publishes thousands takes none from another.
 */
export function grantZones(
  sources: readonly PlanSource[],
  warnings: PlanWarning[],
): ReadonlySet<DomainName> {
  const claims = sources.map((source) => [...inTurn(claimsOf(source, warnings))]);
  const granted = new Set<DomainName>();
  const refused = new Set<DomainName>();
  const left = new Map<string, Set<DomainName>>();
  for (const { cluster, zone } of inTurn(claims)) {
    if (granted.has(zone) || refused.has(zone)) continue;
    if (isEverybodys(zone)) {
      refused.add(zone);
      warnings.push({
        code: "zone-refused",
        message: `Zone "${zone}" is not claimed: it belongs to everybody`,
      });
    } else if (granted.size < MAX_ZONES) granted.add(zone);
    else left.set(cluster, (left.get(cluster) ?? new Set()).add(zone));
  }
  const byName = [...left].sort(([a], [b]) => a < b ? -1 : 1);
  for (const [cluster, zones] of byName) warnings.push(tooManyZones(cluster, [...zones]));
  return granted;
}

/** What each cluster claims. */
export function claimsOf(
  source: PlanSource,
  warnings: PlanWarning[],
): readonly (readonly Claim[])[] {
  return clustersOf(source).map((cluster, n) => {
    const hosts = [...n === 0 ? [source.proxyHost] : [], ...cluster.proxy_public_addrs.map(hostOf)];
    const own = hosts.flatMap((host) => tryParseName(host) ?? [])
      .map((zone) => ({ cluster: cluster.cluster_name, zone, isPrivate: false }));
    return [...own, ...customZones(cluster, warnings)];
  });
}

/** Those of the granted zones that everybody who claims them says to be private. Sorted. */
export function privateZones(
  sources: readonly PlanSource[],
  granted: ReadonlySet<DomainName>,
): ReadonlySet<DomainName> {
  const claims = sources.flatMap((source) => claimsOf(source, []).flat());
  const open = new Set(claims.filter(({ isPrivate }) => !isPrivate).map(({ zone }) => zone));
  return new Set([...granted].filter((zone) => !open.has(zone)).sort());
}

/** The first of each, then the second of each, and so on. */
function* inTurn<T>(lists: readonly (readonly T[])[]): Generator<T> {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  for (let n = 0; n < longest; n++) {
    for (const list of lists) {
      const item = list[n];
      if (item !== undefined) yield item;
    }
  }
}

const NAMED_ZONES = 3;

function tooManyZones(cluster: string, zones: readonly DomainName[]): PlanWarning {
  const named = zones.slice(0, NAMED_ZONES).map((zone) => `"${zone}"`).join(", ");
  const rest = zones.length - NAMED_ZONES;
  return {
    code: "zone-limit",
    message: `Cluster "${cluster}" claims more zones than fit: ${named}${
      rest > 0 ? ` and ${rest} more are` : zones.length === 1 ? " is" : " are"
    } left out, as this machine takes ${MAX_ZONES}`,
  };
}

type Cluster = PlanSource["config"] | PlanSource["config"]["leaf_clusters"][number];

/** The cluster of a login, and the leafs behind it. */
export function clustersOf(source: PlanSource): readonly Cluster[] {
  return [source.config, ...source.config.leaf_clusters];
}

function customZones(cluster: Cluster, warnings: PlanWarning[]): readonly Claim[] {
  return cluster.vnet_config.custom_dns_zones.flatMap(({ suffix, private: isPrivate = false }) => {
    const zone = tryParseName(suffix);
    if (zone !== null) return [{ cluster: cluster.cluster_name, zone, isPrivate }];
    warnings.push({
      code: "zone-refused",
      message: `Cluster "${cluster.cluster_name}" claims "${suffix}", which is no domain name`,
    });
    return [];
  });
}

/** Tells whether a zone may not be claimed by anybody, whoever says so. */
export function isEverybodys(zone: string): boolean {
  return isPublicSuffix(zone) ||
    RESERVED_ZONES.some((name) => zone === name || zone.endsWith(`.${name}`));
}

/** Single labels count as public: no cluster may claim a whole top-level domain. */
export function isPublicSuffix(zone: string): boolean {
  return !zone.includes(".") || getPublicSuffix(zone, { allowPrivateDomains: false }) === zone;
}

/** @returns `null` for what is no domain name, like an address. */
export function tryParseName(text: string): DomainName | null {
  if (/^[0-9.]+$/.test(text) || text.includes(":")) return null;
  try {
    return parseDomainName(text);
  } catch {
    return null;
  }
}

/** Cuts the port off `host[:port]`. */
export function hostOf(address: string): string {
  return address.startsWith("[") ? address : address.replace(/:[0-9]+$/, "");
}
