/**
 * Which zones are claimed of those that the clusters want: nobody's whole top-level domain, and no more than fit.
 *
 * @module
 */
import { isEverybodys, MAX_ZONES } from "../config/mod.ts";
import { type DomainName, parseDomainName } from "../dns/mod.ts";
import { clustersOf, type PlanSource, type PublishedCluster } from "./view.ts";
import type { PlanWarning } from "./warning.ts";

/** A zone that is claimed, and by whom. */
interface Claim {
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
  return clustersOf(source.view).map((cluster, n) => {
    const hosts = [...n === 0 ? [source.proxyHost] : [], ...cluster.proxyHosts];
    const own = hosts.flatMap((host) => tryParseName(host) ?? [])
      .map((zone) => ({ cluster: cluster.name, zone, isPrivate: false }));
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

function customZones(cluster: PublishedCluster, warnings: PlanWarning[]): readonly Claim[] {
  return cluster.zones.flatMap(({ suffix, isPrivate }) => {
    const zone = tryParseName(suffix);
    if (zone !== null) return [{ cluster: cluster.name, zone, isPrivate }];
    warnings.push({
      code: "zone-refused",
      message: `Cluster "${cluster.name}" claims "${suffix}", which is no domain name`,
    });
    return [];
  });
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
