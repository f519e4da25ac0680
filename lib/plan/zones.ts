/**
 * Whose is a zone? What is at and below a login's own proxy is that login's alone; any other zone needs a TXT record on
 * it that names the cluster, or somebody's word. Nobody gets a whole top-level domain, and all get no more than fit.
 *
 * @module
 */
import { isEverybodys, MAX_ZONES } from "../config/mod.ts";
import {
  type DomainName,
  isBelow,
  objectionToZone,
  parentOf,
  parseDomainName,
} from "../dns/mod.ts";
import type { GrantBy, ZoneKnowledge, ZoneProof, ZoneWord } from "./knowledge.ts";
import type { Barrier, Holding } from "./match.ts";
import { clustersOf, type PlanSource, type PublishedCluster } from "./view.ts";

/** How one cluster stands to one zone that it asks for. */
export interface ZoneStanding {
  /** As the cluster writes it; a domain name unless it is refused for being none. */
  readonly suffix: string;
  readonly profile: string;
  readonly cluster: string;
  /** Whether the cluster says that nobody else answers for it. A proxy's own never is. */
  readonly isPrivate: boolean;
  /** Whether it is there because the cluster says that a proxy of its is called so. */
  readonly isProxy: boolean;
  readonly state: ZoneState;
  /** How it came by the zone; `null` if it did not. */
  readonly by: GrantBy | null;
  /** One phrase. */
  readonly why: string;
  /** Why it is refused; `null` if it is not. */
  readonly refusal: ZoneObjection | null;
  /** Since when it is granted or denied; `null` where that has no beginning. */
  readonly sinceMs: number | null;
}

/** `foreign`: it lies below another login's proxy; `outvoted`: somebody has a better grant. */
export type ZoneObjection = "no-name" | "everybodys" | "foreign" | "outvoted";

export type ZoneState =
  /** Its names are answered for. */
  | "served"
  /** Nobody said yes or no yet. */
  | "pending"
  /** The user said no. */
  | "denied"
  /** It is another's, or everybody's, or no name. */
  | "refused"
  /** Several have the same right to it, and none is served. */
  | "conflict"
  /** There are more zones than fit. */
  | "left-out";

/** A zone and the cluster that asks for it. */
interface Claim {
  readonly source: PlanSource;
  readonly cluster: PublishedCluster;
  readonly isLeaf: boolean;
  readonly suffix: string;
  readonly zone: DomainName | null;
  readonly isPrivate: boolean;
  readonly isProxy: boolean;
}

interface Judged {
  readonly claim: Claim;
  readonly standing: ZoneStanding;
}

/** What became of all claims. */
export interface Zones {
  /** Each login's, its clusters' in their order. */
  readonly standings: readonly ZoneStanding[];
  readonly holdings: readonly Holding[];
  readonly barriers: readonly Barrier[];
  /** Names of proxies that keep their public answers. */
  readonly proxyNames: ReadonlySet<DomainName>;
}

/** Whose word counts for more where several were granted the same zone. */
const RANK: Readonly<Record<GrantBy, number>> = { own: 3, user: 2, admin: 1, txt: 0 };

/** Judges every claim of these logins, which are sorted by profile. */
export function judgeZones(sources: readonly PlanSource[], knowledge: ZoneKnowledge): Zones {
  const owners = ownersOf(sources);
  const claims = sources.flatMap(claimsOf);
  const judged = claims.map((claim) => ({ claim, standing: judge(claim, owners, knowledge) }));
  const settled = fit(settle(judged));
  const holdings = holdingsOf(settled);
  return {
    standings: settled.map(({ standing }) => standing),
    holdings,
    barriers: knowledge.words.filter(({ verdict }) => verdict === "deny"),
    proxyNames: proxyNames(sources, owners, holdings),
  };
}

/** The logins whose own proxy is the nearest at or above a name, by profile. */
type Owners = (name: DomainName) => readonly PlanSource[];

/** Nobody but the user says what a login's own proxy is called, and TLS proves it. */
function ownersOf(sources: readonly PlanSource[]): Owners {
  const byHost = Map.groupBy(sources, ({ proxyHost }) => ownHost(proxyHost));
  return (name) => {
    for (let up: DomainName | null = name; up !== null; up = parentOf(up)) {
      const found = byHost.get(up);
      if (found !== undefined) return found;
    }
    return [];
  };
}

function ownHost(host: string): DomainName | null {
  const name = tryParseName(host);
  return name === null || isEverybodys(name) ? null : name;
}

/** The proxies' own zones first, then the others; each zone once. */
function claimsOf(source: PlanSource): readonly Claim[] {
  return clustersOf(source.view).flatMap((cluster, n) => {
    const hosts = [...n === 0 ? [source.proxyHost] : [], ...cluster.proxyHosts];
    const own = hosts.flatMap((host) => tryParseName(host) ?? [])
      .map((zone): Claim => ({
        source,
        cluster,
        isLeaf: n > 0,
        suffix: zone,
        zone,
        isPrivate: false,
        isProxy: true,
      }));
    const custom = cluster.zones.map(({ suffix, isPrivate }): Claim => {
      const zone = tryParseName(suffix);
      const named = { suffix: zone ?? suffix, zone, isPrivate, isProxy: false };
      return { source, cluster, isLeaf: n > 0, ...named };
    });
    // A zone that is claimed twice is private only if both claims say so.
    const bySuffix = new Map<string, Claim>();
    for (const claim of [...own, ...custom]) {
      const before = bySuffix.get(claim.suffix);
      const isPrivate = claim.isPrivate && (before?.isPrivate ?? true);
      const isProxy = claim.isProxy && (before?.isProxy ?? true);
      bySuffix.set(claim.suffix, { ...claim, isPrivate, isProxy });
    }
    return [...bySuffix.values()];
  });
}

function judge(claim: Claim, owners: Owners, knowledge: ZoneKnowledge): ZoneStanding {
  const { source: { profile }, cluster, suffix, zone, isPrivate, isProxy } = claim;
  const stand = (
    state: ZoneState,
    why: string,
    by: GrantBy | null = null,
    sinceMs: number | null = null,
  ): ZoneStanding => ({
    suffix,
    profile,
    cluster: cluster.name,
    isPrivate,
    isProxy,
    state,
    by,
    why,
    refusal: null,
    sinceMs,
  });
  const refused = (refusal: ZoneObjection, why: string) => ({ ...stand("refused", why), refusal });
  if (zone === null) return refused("no-name", "it is no domain name");
  if (isEverybodys(zone)) return refused("everybodys", "it belongs to everybody");
  const [owner, ...others] = owners(zone);
  if (owner !== undefined) {
    const isOwn = [owner, ...others].some((source) => source.profile === profile);
    // Nobody but the login's own cluster has a say there, whatever leaves call their proxies
    if (isOwn && claim.isLeaf) {
      return refused("foreign", `it belongs to ${claim.source.view.root.name}, whose leaf this is`);
    }
    if (isOwn) return stand("served", `it is the login's own proxy ${owner.proxyHost}`, "own");
    return refused("foreign", `it belongs to ${owner.profile}, where you are logged in as well`);
  }
  const word = wordOn(zone, claim, knowledge.words);
  if (word?.verdict === "deny") return stand("denied", "you said no", null, word.sinceMs);
  if (word?.verdict === "allow") return stand("served", "you said yes", "user", word.sinceMs);
  if (knowledge.admin.some((grant) => grant.suffix === zone && isLogin(grant.proxy, profile))) {
    return stand("served", "the administrator of this machine says so", "admin");
  }
  return judgeProof(claim, knowledge.proofs.get(zone) ?? null, stand);
}

function judgeProof(
  claim: Claim,
  proof: ZoneProof | null,
  stand: (state: ZoneState, why: string, by?: GrantBy, sinceMs?: number) => ZoneStanding,
): ZoneStanding {
  const { cluster, source: { proxyHost } } = claim;
  if (proof === null) return stand("pending", "its TXT records were not asked for yet");
  const names = new Set(proof.names.map(({ name }) => name));
  const found = proof.names.find(({ name }) => isMeantBy(name, claim, names));
  if (found !== undefined) {
    const kept = proof.failure === null ? "" : `; it cannot be asked for now: ${proof.failure}`;
    return stand("served", `its TXT record names ${found.name}${kept}`, "txt", found.sinceMs);
  }
  if (proof.failure !== null) {
    return stand("pending", `its TXT records cannot be asked for: ${proof.failure}`);
  }
  const isNamed = proof.names.some(({ name }) => name === cluster.name.toLowerCase());
  if (isNamed && claim.isLeaf) {
    return stand(
      "pending",
      `its TXT record names ${cluster.name}, and not ${proxyHost}, which says that this is its leaf`,
    );
  }
  if (isNamed) {
    return stand(
      "pending",
      `its TXT record names ${cluster.name}, and the proxy ${proxyHost} does not show to be that`,
    );
  }
  const [first] = proof.names;
  return stand(
    "pending",
    first === undefined ? "no TXT record names a cluster" : `its TXT record names ${first.name}`,
  );
}

/**
 * Tells whether a record's name is this cluster's. A leaf calls itself as it likes, and nobody but its root says that it
 * is one: it is believed where a record of the same zone names the root, too, and below the root's own name.
 *
 * @param names All that the zone's records name.
 */
function isMeantBy(name: string, claim: Claim, names: ReadonlySet<string>): boolean {
  const { cluster, isLeaf, source } = claim;
  if (!isLeaf) return isLoginCalled(name, source);
  if (name !== cluster.name.toLowerCase()) return false;
  if ([...names].some((other) => isLoginCalled(other, source))) return true;
  const root = source.view.root.name.toLowerCase();
  return isShownBy(source.proxyHost.toLowerCase(), root) && isUnder(name, root);
}

/**
 * Tells whether a login's own cluster is called so. It says itself what it is called; where that is a domain name, it is
 * believed at that name and below it, where the proxy's certificate shows who it is.
 */
function isLoginCalled(name: string, { proxyHost, view }: PlanSource): boolean {
  const host = proxyHost.toLowerCase();
  if (name === host) return true;
  return name === view.root.name.toLowerCase() && (!name.includes(".") || isShownBy(host, name));
}

/** Whether a proxy's certificate shows that its cluster has this domain name. */
function isShownBy(host: string, name: string): boolean {
  if (!name.includes(".")) return false;
  return name === host ||
    (isBelow(host, name) && objectionToZone(parseDomainName(name)) === null);
}

function isUnder(name: string, above: string): boolean {
  return isBelow(name, above) && objectionToZone(parseDomainName(above)) === null;
}

/** The nearest word that is about this claim; of equal ones that on fewer clusters, and then a no. */
function wordOn(
  zone: DomainName,
  { source: { profile }, cluster }: Claim,
  words: readonly ZoneWord[],
): ZoneWord | null {
  const own = words.filter((word) =>
    (word.suffix === zone || (word.verdict === "deny" && isBelow(zone, word.suffix))) &&
    word.verdict !== "later" &&
    (word.profile === null || word.profile === profile) &&
    (word.cluster === null || word.cluster === cluster.name)
  );
  const key = (word: ZoneWord) =>
    word.suffix.length * 8 + (word.profile === null ? 0 : 4) + (word.cluster === null ? 0 : 2) +
    (word.verdict === "deny" ? 1 : 0);
  return own.toSorted((a, b) => key(b) - key(a))[0] ?? null;
}

/** An administrator may leave out the port that is the usual one. */
function isLogin(proxy: string, profile: string): boolean {
  return proxy.toLowerCase().replace(/:443$/, "") === profile.toLowerCase();
}

/** Of several that were granted one zone the best grant wins; equal ones are served by none. */
function settle(judged: readonly Judged[]): readonly Judged[] {
  const served = judged.filter(({ standing: { state, by } }) => state === "served" && by !== "own");
  const rivals = Map.groupBy(served, ({ standing }) => standing.suffix);
  return judged.map((one) => {
    const { claim, standing } = one;
    const all = rivals.get(standing.suffix) ?? [];
    if (!all.includes(one) || all.length === 1) return one;
    const best = Math.max(...all.map(rankOf));
    // A cluster vouches for its leaves, and comes before them; and before those of others that have a record, too
    const first = all.filter((other) =>
      rankOf(other) === best &&
      !(other.claim.isLeaf && all.some((root) =>
        rankOf(root) === best && !root.claim.isLeaf &&
        (root.claim.source === other.claim.source || root.standing.by === "txt")
      ))
    );
    const [winner] = first;
    if (first.length === 1 && winner === one) return one;
    if (first.length === 1 && winner !== undefined) {
      return without(one, "refused", `it was given to ${describe(winner)}`);
    }
    if (!first.includes(one)) {
      return without(one, "refused", `${first.map(describe).join(" and ")} have a better right`);
    }
    const others = first.filter((other) => other.claim !== claim).map(describe);
    const have = others.length === 1 ? "has" : "have";
    return without(one, "conflict", `${others.join(" and ")} ${have} the same right to it`);
  });
}

function rankOf({ standing: { by } }: Judged): number {
  return by === null ? -1 : RANK[by];
}

function without({ claim, standing }: Judged, state: ZoneState, why: string): Judged {
  const refusal = state === "refused" ? "outvoted" : null;
  return { claim, standing: { ...standing, state, by: null, why, refusal, sinceMs: null } };
}

function describe({ standing: { cluster, profile } }: Judged): string {
  return describeCluster({ cluster, profile });
}

/** A cluster by what it calls itself and, where that is something else, by the login. */
export function describeCluster(
  { cluster, profile }: { readonly cluster: string; readonly profile: string },
): string {
  return cluster === profile ? `"${cluster}"` : `"${cluster}" (${profile})`;
}

/**
 * Leaves out what does not fit: each login's in turn, of those each cluster's in turn, so that one which publishes
 * thousands takes none from another.
 */
function fit(judged: readonly Judged[]): readonly Judged[] {
  const served = judged.filter(({ standing }) => standing.state === "served");
  const byCluster = Map.groupBy(served, ({ claim }) => claim.cluster);
  const logins = Map.groupBy(byCluster.values(), ([first]) => first?.claim.source);
  const ordered = inTurn([...logins.values()].map((clusters) => [...inTurn(clusters)]));
  const fitting = new Set<string>();
  for (const { standing: { suffix } } of ordered) {
    if (fitting.size < MAX_ZONES) fitting.add(suffix);
  }
  return judged.map((one) => {
    if (one.standing.state !== "served" || fitting.has(one.standing.suffix)) return one;
    return without(one, "left-out", `this machine takes ${MAX_ZONES} zones`);
  });
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

function holdingsOf(judged: readonly Judged[]): readonly Holding[] {
  return judged.flatMap(({ claim: { zone }, standing: { state, by, profile, cluster } }) => {
    if (zone === null || by === null || state !== "served") return [];
    return [{ zone, profile, cluster, by }];
  });
}

/** Proxies' names: a login's own, and what clusters call theirs as far as nobody else has a right there. */
function proxyNames(
  sources: readonly PlanSource[],
  owners: Owners,
  holdings: readonly Holding[],
): ReadonlySet<DomainName> {
  const names = new Set<DomainName>();
  const byZone = Map.groupBy(holdings, ({ zone }) => zone);
  for (const source of sources) {
    const own = tryParseName(source.proxyHost);
    if (own !== null) names.add(own);
    for (const cluster of clustersOf(source.view)) {
      for (const host of cluster.proxyHosts) {
        const name = tryParseName(host);
        if (name !== null && mayCallProxy(name, source, cluster, owners, byZone)) names.add(name);
      }
    }
  }
  return names;
}

function mayCallProxy(
  name: DomainName,
  { profile, view }: PlanSource,
  cluster: PublishedCluster,
  owners: Owners,
  byZone: ReadonlyMap<DomainName, readonly Holding[]>,
): boolean {
  const own = owners(name);
  const isLeaf = cluster !== view.root;
  if (own.length > 0) return !isLeaf && own.some((source) => source.profile === profile);
  for (let up: DomainName | null = name; up !== null; up = parentOf(up)) {
    const held = byZone.get(up);
    if (held === undefined) continue;
    return held.some((holding) => holding.profile === profile && holding.cluster === cluster.name);
  }
  return true;
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
