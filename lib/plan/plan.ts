/**
 * What several clusters publish, compiled into what this machine answers for. Pure: the same inputs give the same
 * plan, whatever order the clusters answered in.
 *
 * @module
 */
import { formatPrefix, overlaps, type Prefix } from "../ip/mod.ts";
import { type DomainName, parentOf } from "../dns/mod.ts";
import { portAllowed, type PortRange } from "../config/mod.ts";
import { DEFAULT_RANGE, NO_CONSENT, type RangeConsent, rangeOf } from "./cluster_range.ts";
import { type AppView, clustersOf, type PlanSource } from "./view.ts";
import type { PlanWarning } from "./warnings.ts";
import { matchNames, type NameClaim, type RefusedName } from "./match.ts";
import { NOTHING_SAID, type ZoneKnowledge } from "./knowledge.ts";
import { boundWarnings, nameWarning, zoneWarnings } from "./warnings.ts";
import { judgeZones, tryParseName, type Zones, type ZoneStanding } from "./zones.ts";

/** What the user wishes otherwise than the clusters say. */
interface PlanWishes {
  /** Replaces every cluster's range. */
  readonly range: Prefix | null;
  /** Where ranges lie instead, by the text of the one the plan would have. */
  readonly places?: ReadonlyMap<string, Prefix>;
  /** What is known about whose the zones are; nothing, if not given. */
  readonly zones?: ZoneKnowledge;
  /** What was said about ranges of private networks; nothing, if not given. */
  readonly consent?: RangeConsent;
}

/** An app as one login sees it: where a connection to it goes. */
export interface AppRef {
  readonly kind: AppView["kind"];
  readonly profile: string;
  readonly cluster: string;
  readonly app: string;
  readonly appId: string;
  /** The ports one may connect to, or `null` for any. */
  readonly ports: readonly PortRange[] | null;
  /** What plain HTTP requests may call their host; `null` if the app's label switches that guard off. */
  readonly httpHosts: readonly DomainName[] | null;
}

/** One app by one of its names. */
export interface AppTarget extends AppRef {
  readonly range: Prefix;
}

/** Everything to answer for: compiled, compared, then applied. */
export interface Plan {
  /** Sorted. */
  readonly zones: readonly DomainName[];
  /** Those of them that nobody else answers for: unknown names in them do not exist. */
  readonly privateZones: ReadonlySet<DomainName>;
  /** Names that always keep their public answers: the proxies' own. Sorted. */
  readonly excluded: readonly DomainName[];
  /** Sorted by name. */
  readonly targets: ReadonlyMap<DomainName, AppTarget>;
  /** The ranges to take addresses from; none overlaps another. */
  readonly ranges: readonly Prefix[];
  readonly warnings: readonly PlanWarning[];
  /** How every cluster stands to every zone that it asks for: by login, and as the cluster has them. */
  readonly standings: readonly ZoneStanding[];
  /** The zones that names are given in, each with one of those whose it is. */
  readonly grants: ReadonlyMap<DomainName, ZoneStanding>;
  /** Names that apps claim and do not have. */
  readonly refusedNames: readonly RefusedName[];
}

/** With the value "off", requests to the app may name any host: for forward proxies and catch-all servers. */
const HOST_GUARD_LABEL = "vnet/host-guard";

/** How many names that apps do not have are kept, for whoever asks about one. */
const MAX_REFUSED_NAMES = 2_000;

/** How many ranges one machine routes; clusters beyond that share the first. */
const MAX_RANGES = 16;

/**
 * Compiles what the clusters publish. What two say of each other's names is settled by who holds the zone.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { compilePlan } from "./plan.ts";
 * import type { ClusterView } from "./view.ts";
 *
 * const view: ClusterView = {
 *   root: {
 *     name: "cluster.example",
 *     proxyHosts: ["cluster.example"],
 *     range: "100.64.0.0/10",
 *     zones: [],
 *   },
 *   leaves: [],
 *   apps: [{
 *     kind: "tcp",
 *     name: "db",
 *     cluster: "cluster.example",
 *     id: "0123456789abcdef",
 *     publicAddrs: ["db.cluster.example"],
 *     description: null,
 *     labels: {},
 *     ports: [{ first: 5432, last: 5432 }],
 *   }],
 * };
 * const source = { profile: "cluster.example", proxyHost: "cluster.example", view };
 * const plan = compilePlan([source], { range: null });
 * deepEqual([...plan.targets.keys()], ["db.cluster.example"]);
 * ```
 */
export function compilePlan(sources: readonly PlanSource[], wishes: PlanWishes): Plan {
  const ordered = sources.toSorted((a, b) => compareText(a.profile, b.profile));
  const zones = judgeZones(ordered, wishes.zones ?? NOTHING_SAID);
  const warnings: PlanWarning[] = [];
  const ranges: Prefix[] = [];
  const place = (range: Prefix) => wishes.places?.get(formatPrefix(range)) ?? range;
  const claims: [NameClaim, AppTarget][] = [];
  for (const source of ordered) {
    const rangeOf = collectRanges(source, wishes, ranges, warnings);
    claims.push(...collectClaims(source, (cluster) => place(rangeOf(cluster)), warnings));
  }
  const named = claims.map(([claim]) => claim);
  const { taken, refused } = matchNames(named, zones);
  const targetOf = new Map(claims);
  const targets = [...taken].flatMap(([name, { claim }]): [DomainName, AppTarget][] => {
    const target = targetOf.get(claim);
    return target === undefined ? [] : [[name, target]];
  });
  warnings.unshift(...zoneWarnings(zones.standings, named));
  warnings.push(...refused.flatMap((one) => nameWarning(one, zones.standings, taken) ?? []));
  const grants = grantsOf(zones);
  return {
    zones: [...grants.keys()].sort(),
    privateZones: privateZones(zones.standings),
    excluded: [...zones.proxyNames].sort(),
    targets: new Map(targets.sort(([a], [b]) => compareText(a, b))),
    ranges: ranges.map(place),
    warnings: boundWarnings(warnings),
    standings: zones.standings,
    grants,
    refusedNames: refused.slice(0, MAX_REFUSED_NAMES),
  };
}

/** Finds the zone that a name is given in, with whose it is. @returns `null` for a name in none */
export function grantOf({ grants }: Plan, name: DomainName): ZoneStanding | null {
  for (let up = parentOf(name); up !== null; up = parentOf(up)) {
    const found = grants.get(up);
    if (found !== undefined) return found;
  }
  return null;
}

function grantsOf({ standings, holdings }: Zones): Plan["grants"] {
  const served = new Map(
    standings.filter(({ state }) => state === "served").map((one) => [one.suffix, one]),
  );
  return new Map(holdings.flatMap(({ zone }): [DomainName, ZoneStanding][] => {
    const found = served.get(zone);
    return found === undefined ? [] : [[zone, found]];
  }));
}

/** Those that everybody who holds them says to be private. Sorted. */
function privateZones(standings: readonly ZoneStanding[]): ReadonlySet<DomainName> {
  const served = standings.filter(({ state }) => state === "served");
  const open = new Set(served.filter(({ isPrivate }) => !isPrivate).map(({ suffix }) => suffix));
  const all = new Set(served.map(({ suffix }) => suffix as DomainName));
  return new Set([...all].filter((zone) => !open.has(zone)).sort());
}

/** Tells whether a connection to this port of the app may be tried at all. */
export function allowsPort(target: AppRef, port: number): boolean {
  return portAllowed(target.ports, port);
}

/** The ports as people write them: `5432`, `8000-8010`. */
export function renderPorts(ports: readonly PortRange[]): string[] {
  return ports.map(({ first, last }) => first === last ? `${first}` : `${first}-${last}`);
}

function collectRanges(
  source: PlanSource,
  wishes: PlanWishes,
  ranges: Prefix[],
  warnings: PlanWarning[],
): (cluster: string) => Prefix {
  const byCluster = new Map<string, Prefix>();
  for (const cluster of clustersOf(source.view)) {
    const { profile } = source;
    const { range, isInstead } = wishes.range === null
      ? rangeOf(cluster, profile, wishes.consent ?? NO_CONSENT, warnings)
      : { range: wishes.range, isInstead: false };
    // Where it cannot have its own, it is all the same whose it shares.
    byCluster.set(cluster.name, mergeRange(range, ranges, isInstead ? [] : warnings));
  }
  return (cluster) => byCluster.get(cluster) ?? mergeRange(DEFAULT_RANGE, ranges, warnings);
}

/** Overlapping ranges share the one that was taken first, so that no address can mean two names. */
function mergeRange(wanted: Prefix, ranges: Prefix[], warnings: PlanWarning[]): Prefix {
  const found = ranges.find((range) => overlaps(range, wanted));
  const [first] = ranges;
  if (found === undefined && first !== undefined && ranges.length === MAX_RANGES) {
    warnings.push({
      code: "range-limit",
      message: `Range ${formatPrefix(wanted)} is one too many: addresses come from ${
        formatPrefix(first)
      }`,
    });
    return first;
  }
  if (found === undefined) {
    ranges.push(wanted);
    return wanted;
  }
  if (formatPrefix(found) !== formatPrefix(wanted)) {
    warnings.push({
      code: "range-overlap",
      message: `Range ${formatPrefix(wanted)} overlaps ${
        formatPrefix(found)
      }: addresses come from the latter`,
    });
  }
  return found;
}

/** What the apps of a login say they are called; what is no name is warned of. */
function collectClaims(
  source: PlanSource,
  placeOf: (cluster: string) => Prefix,
  warnings: PlanWarning[],
): readonly [NameClaim, AppTarget][] {
  const { profile, view } = source;
  return view.apps.flatMap((app) => {
    const target: AppTarget = { ...refOf(source, app), range: placeOf(app.cluster) };
    const names = new Set(app.publicAddrs.map((address) => {
      const name = tryParseName(address);
      if (name === null) warnings.push(invalidName(address, app));
      return name;
    }));
    return [...names].flatMap((name): [NameClaim, AppTarget][] => {
      if (name === null) return [];
      const { cluster, name: called, id: appId } = app;
      return [[{ name, profile, cluster, app: called, appId }, target]];
    });
  });
}

function invalidName(address: string, { name, cluster }: AppView): PlanWarning {
  const message =
    `The name "${address}" of app "${name}" of cluster "${cluster}" is not used: it is no domain name`;
  return { code: "name-invalid", message };
}

/** One of a source's apps. */
export function refOf({ profile }: PlanSource, app: AppView): AppRef {
  return {
    kind: app.kind,
    profile,
    cluster: app.cluster,
    app: app.name,
    appId: app.id,
    ports: app.ports,
    httpHosts: httpHostsOf(app),
  };
}

/** All of the app's names count, also those that are not answered for here: others may know it by them. */
function httpHostsOf(app: AppView): readonly DomainName[] | null {
  if (app.labels[HOST_GUARD_LABEL] === "off") return null;
  return app.publicAddrs.flatMap((address) => tryParseName(address) ?? []).sort();
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
