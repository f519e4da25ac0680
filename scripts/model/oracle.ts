/**
 * What the rules of docs/dns.md say of a world, written down without a thought for speed and without a line of lib/:
 * whose a zone is, whose a name, and what DNS answers. The client must say the same.
 *
 * @module
 */
import { appsOf, clusterOf, type Login, type World, type WorldCluster } from "./world.ts";

/** Whose word counts for more. */
const RANKS = ["txt", "admin", "user", "own"] as const;
type Rank = typeof RANKS[number];

/** A zone that is served, and for whom. */
interface Served {
  readonly zone: string;
  readonly profile: string;
  readonly cluster: string;
  readonly rank: Rank;
  readonly isPrivate: boolean;
}

/** Who has a name. */
export interface Owner {
  readonly profile: string;
  readonly cluster: string;
  readonly appId: string;
  /** What its cluster wants of addresses. */
  readonly wanted: string;
}

/** What DNS answers for one name, as far as the model speaks of it. */
export type Answer =
  | { readonly kind: "app"; readonly owner: Owner; readonly isUsable: boolean }
  /** It was an app's a moment ago. */
  | { readonly kind: "removed" }
  | { readonly kind: "forward" }
  | { readonly kind: "no-data" }
  | { readonly kind: "nx-domain" };

/** What follows from a world. */
export interface Expected {
  readonly served: readonly Served[];
  readonly owners: ReadonlyMap<string, Owner>;
  readonly proxies: ReadonlySet<string>;
}

const isBelow = (name: string, zone: string) => name.endsWith(`.${zone}`);
const isAt = (name: string, zone: string) => name === zone || isBelow(name, zone);
/** Top-level names belong to everybody; none of the model's are public suffixes otherwise. */
const isEverybodys = (zone: string) => !zone.includes(".");

export function expect(world: World): Expected {
  const logins = world.logins.filter(({ isIn, isSeen }) => isIn && isSeen);
  const served = servedZones(world, logins);
  const proxies = proxyNames(logins, served);
  return { served, proxies, owners: ownersOf(world, logins, served, proxies) };
}

/** What a question for A is answered with. */
export function answerOf(
  name: string,
  world: World,
  { served, owners, proxies }: Expected,
  removed: ReadonlyMap<string, number>,
): Answer {
  if (proxies.has(name)) return { kind: "forward" };
  const owner = owners.get(name);
  if (owner !== undefined) {
    const login = world.logins.find(({ profile }) => profile === owner.profile);
    return { kind: "app", owner, isUsable: login?.isOver === false && !login.isLocked };
  }
  const isPrivate = (zone: string) =>
    served.filter((one) => one.zone === zone).every((one) => one.isPrivate);
  const zones = [...new Set(served.map(({ zone }) => zone))];
  const isInside = (one: string) => zones.some((zone) => isBelow(one, zone));
  if (removed.has(name) && isInside(name)) return { kind: "removed" };
  if (zones.includes(name)) return { kind: isPrivate(name) ? "no-data" : "forward" };
  const around = zones.filter((zone) => isBelow(name, zone)).sort((a, b) => b.length - a.length);
  const [nearest] = around;
  if (nearest === undefined || !isPrivate(nearest)) return { kind: "forward" };
  const gone = [...removed.keys()].filter((one) => isInside(one) && !proxies.has(one));
  const hasBelow = [...owners.keys(), ...gone, ...proxies, ...zones].some((other) =>
    isBelow(other, name)
  );
  return { kind: hasBelow ? "no-data" : "nx-domain" };
}

/** The logins whose own host is the nearest at or above a name. */
function ownersAbove(name: string, logins: readonly Login[]): readonly Login[] {
  const around = logins.filter(({ host }) => !isEverybodys(host) && isAt(name, host));
  const longest = Math.max(0, ...around.map(({ host }) => host.length));
  return around.filter(({ host }) => host.length === longest);
}

interface Claim {
  readonly login: Login;
  readonly cluster: WorldCluster;
  readonly isLeaf: boolean;
  readonly zone: string;
  readonly isPrivate: boolean;
}

function claimsOf(logins: readonly Login[]): Claim[] {
  return logins.flatMap((login) => {
    const clusters = [
      { cluster: login.root, isLeaf: false },
      ...(login.hasLeaf ? [{ cluster: login.leaf, isLeaf: true }] : []),
    ];
    return clusters.flatMap(({ cluster, isLeaf }) => {
      const hosts = [...(isLeaf ? [] : [login.host]), ...cluster.proxyHosts];
      const zones = new Set([...hosts, ...cluster.zones.map(({ suffix }) => suffix)]);
      return [...zones].map((zone) => {
        const said = cluster.zones.filter(({ suffix }) => suffix === zone);
        const isPrivate = !hosts.includes(zone) && said.every((one) => one.isPrivate);
        return { login, cluster, isLeaf, zone, isPrivate };
      });
    });
  });
}

function servedZones(world: World, logins: readonly Login[]): Served[] {
  const granted = claimsOf(logins).flatMap((claim) => {
    const rank = rankOf(claim, world, logins);
    return rank === null ? [] : [{ claim, rank }];
  });
  return granted.filter(({ claim, rank }) => {
    if (rank === "own") return true;
    const rivals = granted.filter((other) =>
      other.claim.zone === claim.zone && other.rank !== "own"
    );
    const best = Math.max(...rivals.map((one) => RANKS.indexOf(one.rank)));
    const first = rivals.filter((one) => RANKS.indexOf(one.rank) === best);
    const roots = first.filter((one) => !one.claim.isLeaf);
    const left = first.filter(({ claim: { isLeaf, login } }) =>
      !isLeaf || !roots.some((root) => root.rank === "txt" || root.claim.login === login)
    );
    return left.length === 1 && left[0]?.claim === claim;
  }).map(({ claim: { zone, login, cluster, isPrivate }, rank }) => ({
    ...{ zone, rank, isPrivate, profile: login.profile, cluster: cluster.name },
  }));
}

/** How a cluster comes by a zone; `null` if it does not. */
function rankOf(claim: Claim, world: World, logins: readonly Login[]): Rank | null {
  const { login, cluster, isLeaf, zone } = claim;
  if (isEverybodys(zone)) return null;
  const above = ownersAbove(zone, logins);
  if (above.length > 0) return above.includes(login) && !isLeaf ? "own" : null;
  const [word] = world.words.filter((word) =>
    word.verdict !== "later" &&
    (word.suffix === zone || (word.verdict === "deny" && isBelow(zone, word.suffix))) &&
    (word.profile ?? login.profile) === login.profile &&
    (word.cluster ?? cluster.name) === cluster.name
  ).sort((a, b) =>
    b.suffix.length - a.suffix.length ||
    Number(b.profile !== null) - Number(a.profile !== null) ||
    Number(b.cluster !== null) - Number(a.cluster !== null) ||
    Number(b.verdict === "deny") - Number(a.verdict === "deny")
  );
  if (word !== undefined) return word.verdict === "allow" ? "user" : null;
  if (world.admin.some(({ suffix, proxy }) => suffix === zone && proxy === login.profile)) {
    return "admin";
  }
  const names = world.records.get(zone)?.names ?? [];
  const isRootNamed = names.some((name) => isRoot(name, login));
  if (!isLeaf) return isRootNamed ? "txt" : null;
  const isBelowRoot = isAt(login.host, login.root.name) && isBelow(cluster.name, login.root.name);
  return names.includes(cluster.name) && (isRootNamed || isBelowRoot) ? "txt" : null;
}

/** A cluster may call itself anything; a domain name counts only where the proxy's certificate proves it. */
function isRoot(name: string, { host, root }: Login): boolean {
  return name === host || (name === root.name && (!name.includes(".") || isAt(host, name)));
}

function proxyNames(logins: readonly Login[], served: readonly Served[]): Set<string> {
  const names = new Set(logins.map(({ host }) => host));
  for (const login of logins) {
    for (const cluster of [login.root, ...(login.hasLeaf ? [login.leaf] : [])]) {
      for (const host of cluster.proxyHosts) {
        const above = ownersAbove(host, logins);
        const around = served.filter(({ zone }) => isAt(host, zone));
        const longest = Math.max(0, ...around.map(({ zone }) => zone.length));
        const nearest = around.filter(({ zone }) => zone.length === longest);
        const isTheirs = above.length > 0
          ? above.includes(login) && cluster === login.root
          : nearest.length === 0 ||
            nearest.some((one) => one.profile === login.profile && one.cluster === cluster.name);
        if (isTheirs) names.add(host);
      }
    }
  }
  return names;
}

function ownersOf(
  world: World,
  logins: readonly Login[],
  served: readonly Served[],
  proxies: ReadonlySet<string>,
): Map<string, Owner> {
  const claims = logins.flatMap((login) =>
    appsOf(login).flatMap((app) =>
      [...new Set(app.names)].map((name) => {
        const cluster = clusterOf(login, app);
        const wanted = wantedRange(cluster.range, login.profile, world);
        const owner = { profile: login.profile, cluster: cluster.name, appId: app.id, wanted };
        return { name, owner };
      })
    )
  );
  const able = claims.filter(({ name, owner }) => {
    if (proxies.has(name)) return false;
    const around = served.filter(({ zone }) => isBelow(name, zone));
    const longest = Math.max(0, ...around.map(({ zone }) => zone.length));
    const held = around.find((one) =>
      one.zone.length === longest && one.profile === owner.profile &&
      one.cluster === owner.cluster
    );
    if (held === undefined) return false;
    return held.rank === "own" ||
      !world.words.some((word) =>
        word.verdict === "deny" && word.suffix.length > longest && isAt(name, word.suffix) &&
        (word.profile ?? owner.profile) === owner.profile &&
        (word.cluster ?? owner.cluster) === owner.cluster
      );
  });
  const owners = new Map<string, Owner>();
  for (const name of new Set(able.map((one) => one.name))) {
    const rivals = able.filter((one) => one.name === name);
    const apps = new Set(rivals.map(({ owner }) => `${owner.cluster} ${owner.appId}`));
    const [winner] = rivals.map(({ owner }) => owner)
      .sort((a, b) => a.profile < b.profile ? -1 : 1);
    if (apps.size === 1 && winner !== undefined) owners.set(name, winner);
  }
  return owners;
}

const OURS = "100.64.0.0/10";
/** The model's ranges that need no more than the cluster's word. */
const CARRIERS: readonly string[] = ["100.64.0.0/10", "100.96.0.0/27", "100.80.0.0/16"];
const PRIVATE = "10.44.0.0/16";
/** What root may allow that has room for it. */
const HOLDS_PRIVATE: readonly string[] = ["10.0.0.0/8", "10.44.0.0/16"];

/** The range that a cluster's names come from, before the machine has its say. */
export function wantedRange(range: string, profile: string, world: World): string {
  if (CARRIERS.includes(range)) return range;
  const said = world.consent.find((word) => word.profile === profile && word.range === range);
  const isGranted = world.granted === null ||
    world.granted.some((space) => HOLDS_PRIVATE.includes(space));
  return range === PRIVATE && said?.isTaken === true && isGranted ? range : OURS;
}
