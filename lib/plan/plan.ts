/**
 * What several clusters publish, compiled into what this machine answers for. Pure: the same inputs give the same
 * plan, whatever order the clusters answered in.
 *
 * @module
 */
import { formatPrefix, overlaps, parsePrefix, type Prefix } from "../ip/mod.ts";
import type { DomainName } from "../dns/mod.ts";
import { hasRangeSize, portAllowed, type PortRange } from "../config/mod.ts";
import { type AppView, clustersOf, type PlanSource, type PublishedCluster } from "./view.ts";
import type { PlanWarning } from "./warning.ts";
import { claimsOf, grantZones, privateZones, tryParseName } from "./zone_claims.ts";

/** What the user wishes otherwise than the clusters say. */
interface PlanWishes {
  /** Replaces every cluster's range. */
  readonly range: Prefix | null;
  /** Where ranges lie instead, by the text of the one the plan would have. */
  readonly places?: ReadonlyMap<string, Prefix>;
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
}

/** With the value "off", requests to the app may name any host: for forward proxies and catch-all servers. */
const HOST_GUARD_LABEL = "vnet/host-guard";

const DEFAULT_RANGE = "100.64.0.0/10";

/** How many warnings of a code are worth a person's time; a cluster must not fill the status. */
export const MAX_WARNINGS = 100;

/** How many ranges one machine routes; clusters beyond that share the first. */
const MAX_RANGES = 16;

/**
 * Compiles what the clusters publish. The first source, by profile name, wins where two say the same name.
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
 *     zones: [{ suffix: "corp.example", isPrivate: false }],
 *   },
 *   leaves: [],
 *   apps: [{
 *     kind: "tcp",
 *     name: "db",
 *     cluster: "cluster.example",
 *     id: "0123456789abcdef",
 *     publicAddrs: ["db.corp.example"],
 *     description: null,
 *     labels: {},
 *     ports: [{ first: 5432, last: 5432 }],
 *   }],
 * };
 * const source = { profile: "cluster.example", proxyHost: "cluster.example", view };
 * const plan = compilePlan([source], { range: null });
 * deepEqual([...plan.targets.keys()], ["db.corp.example"]);
 * ```
 */
export function compilePlan(sources: readonly PlanSource[], wishes: PlanWishes): Plan {
  const warnings: PlanWarning[] = [];
  const ordered = sources.toSorted((a, b) => compareText(a.profile, b.profile));
  const zones = new Set<DomainName>();
  const excluded = new Set<DomainName>();
  const ranges: Prefix[] = [];
  const targets = new Map<DomainName, AppTarget>();
  const granted = grantZones(ordered, warnings);
  const place = (range: Prefix) => wishes.places?.get(formatPrefix(range)) ?? range;
  for (const source of ordered) {
    collectZones(source, granted, zones, excluded);
    const rangeOf = collectRanges(source, wishes, ranges, warnings);
    const placeOf = (cluster: string) => place(rangeOf(cluster));
    collectTargets(source, zones, excluded, placeOf, targets, warnings);
  }
  return {
    zones: [...zones].sort(),
    privateZones: privateZones(ordered, granted),
    excluded: [...excluded].sort(),
    targets: new Map([...targets].sort(([a], [b]) => compareText(a, b))),
    ranges: ranges.map(place),
    warnings: bounded(warnings),
  };
}

/** The first of each code, and how many there are more. */
function bounded(warnings: readonly PlanWarning[]): readonly PlanWarning[] {
  const counts = new Map<PlanWarning["code"], number>();
  const kept = warnings.filter(({ code }) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    return count <= MAX_WARNINGS;
  });
  const more = [...counts].filter(([, count]) => count > MAX_WARNINGS).map(([code, count]) => ({
    code,
    message: `And ${count - MAX_WARNINGS} more like it`,
  }));
  return [...kept, ...more];
}

/** Tells whether a connection to this port of the app may be tried at all. */
export function allowsPort(target: AppRef, port: number): boolean {
  return portAllowed(target.ports, port);
}

/** The ports as people write them: `5432`, `8000-8010`. */
export function renderPorts(ports: readonly PortRange[]): string[] {
  return ports.map(({ first, last }) => first === last ? `${first}` : `${first}-${last}`);
}

/** Adds what this source claims: its apps' names may lie there, and in what sources before it claim. */
function collectZones(
  source: PlanSource,
  granted: ReadonlySet<DomainName>,
  zones: Set<DomainName>,
  excluded: Set<DomainName>,
): void {
  const hosts = clustersOf(source.view).flatMap(({ proxyHosts }) => proxyHosts);
  // A proxy that goes by its address has no names below it.
  for (const host of [source.proxyHost, ...hosts]) {
    const name = tryParseName(host);
    if (name !== null) excluded.add(name);
  }
  for (const { zone } of claimsOf(source, []).flat()) if (granted.has(zone)) zones.add(zone);
}

function collectRanges(
  source: PlanSource,
  wishes: PlanWishes,
  ranges: Prefix[],
  warnings: PlanWarning[],
): (cluster: string) => Prefix {
  const byCluster = new Map<string, Prefix>();
  for (const cluster of clustersOf(source.view)) {
    const wanted = wishes.range ?? parseRange(cluster, warnings);
    byCluster.set(cluster.name, mergeRange(wanted, ranges, warnings));
  }
  return (cluster) =>
    byCluster.get(cluster) ?? mergeRange(parsePrefix(DEFAULT_RANGE), ranges, warnings);
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

function parseRange(cluster: PublishedCluster, warnings: PlanWarning[]): Prefix {
  const { name, range: text } = cluster;
  try {
    const range = parsePrefix(text);
    if (hasRangeSize(range)) return range;
  } catch {
    // Reported below, like a range that is too small.
  }
  warnings.push({
    code: "range-invalid",
    message: `Cluster "${name}" has the range "${text}": ${DEFAULT_RANGE} is used instead`,
  });
  return parsePrefix(DEFAULT_RANGE);
}

function collectTargets(
  source: PlanSource,
  zones: ReadonlySet<DomainName>,
  excluded: ReadonlySet<DomainName>,
  placeOf: (cluster: string) => Prefix,
  targets: Map<DomainName, AppTarget>,
  warnings: PlanWarning[],
): void {
  for (const app of source.view.apps) {
    const target: AppTarget = { ...refOf(source, app), range: placeOf(app.cluster) };
    for (const address of app.publicAddrs) {
      const warning = takeName(address, target, { zones, excluded, targets });
      if (warning !== null) warnings.push(warning);
    }
  }
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

/** Gives the app a name if it can have it. @returns What is to be told if not. */
function takeName(
  address: string,
  target: AppTarget,
  among: {
    readonly zones: ReadonlySet<DomainName>;
    readonly excluded: ReadonlySet<DomainName>;
    readonly targets: Map<DomainName, AppTarget>;
  },
): PlanWarning | null {
  const { zones, excluded, targets } = among;
  const what = `The name "${address}" of ${describeApp(target)}`;
  const name = tryParseName(address);
  if (name === null) {
    return { code: "name-invalid", message: `${what} is not used: it is no domain name` };
  }
  if (excluded.has(name)) {
    const message = `${what} is not used: it is the name of a cluster's proxy`;
    return { code: "name-taken", message };
  }
  const holder = targets.get(name);
  // By two logins one app may be seen twice: the first keeps it, as with any other name.
  if (holder?.appId === target.appId) return null;
  if (holder !== undefined) {
    const message = `${what} is already used by ${describeApp(holder)}`;
    return { code: "name-taken", message };
  }
  if (!hasAncestor(name, zones)) {
    const message = `${what} is not used: it lies in none of the clusters' zones`;
    return { code: "name-outside-zones", message };
  }
  targets.set(name, target);
  return null;
}

function describeApp({ app, cluster }: AppTarget): string {
  return `app "${app}" of cluster "${cluster}"`;
}

function hasAncestor(name: DomainName, zones: ReadonlySet<DomainName>): boolean {
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    if ((zones as ReadonlySet<string>).has(name.slice(dot + 1))) return true;
  }
  return false;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
