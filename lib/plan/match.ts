/**
 * Which app has which name: the one place where names and clusters are matched. Pure, and the same whatever order the
 * claims come in.
 *
 * 1. A proxy's own name is nobody's.
 * 2. A name belongs to whoever holds the longest zone that it lies in, whole labels only; the apex is not inside.
 *    What the user denied is as good as a zone of nobody.
 * 3. One that two apps of the same place claim is neither's.
 *
 * @module
 */
import { type DomainName, parentOf } from "../dns/mod.ts";
import type { GrantBy } from "./knowledge.ts";

/** A zone that is served, and for whom. */
export interface Holding {
  readonly zone: DomainName;
  readonly profile: string;
  /** Of those of the login. */
  readonly cluster: string;
  readonly by: GrantBy;
}

/** A suffix in which some may have no names. */
export interface Barrier {
  readonly suffix: DomainName;
  /** `null` is any. */
  readonly profile: string | null;
  readonly cluster: string | null;
}

/** An app says that a name is its own. */
export interface NameClaim {
  readonly name: DomainName;
  readonly profile: string;
  readonly cluster: string;
  readonly app: string;
  /** The same app has the same one within its cluster. */
  readonly appId: string;
}

/** Why an app cannot have a name. */
export type NameObjection =
  /** It is a proxy's own. */
  | "proxy"
  /** It lies in a zone that somebody else holds. */
  | "foreign"
  /** It lies in no zone that is served. */
  | "outside"
  /** The user said no. */
  | "denied"
  /** Another app of the same place claims it as well: neither has it. */
  | "twice";

export interface RefusedName {
  readonly claim: NameClaim;
  readonly why: NameObjection;
  /** Whose it is, or the other one who claims it; `null` for nobody. */
  readonly holder: Pick<NameClaim, "profile" | "cluster"> & { readonly app: string | null } | null;
}

export interface TakenName {
  readonly claim: NameClaim;
  readonly holding: Holding;
}

export interface Matched {
  readonly taken: ReadonlyMap<DomainName, TakenName>;
  /** In the order of the claims. */
  readonly refused: readonly RefusedName[];
}

/** What names are matched by. */
export interface Ground {
  readonly holdings: readonly Holding[];
  readonly barriers: readonly Barrier[];
  readonly proxyNames: ReadonlySet<DomainName>;
}

/** Matches every claim. */
export function matchNames(claims: readonly NameClaim[], ground: Ground): Matched {
  const holdings = Map.groupBy(ground.holdings, ({ zone }) => zone);
  const barriers = Map.groupBy(ground.barriers, ({ suffix }) => suffix);
  const taken = new Map<DomainName, TakenName>();
  const objections = new Map<NameClaim, Pick<RefusedName, "why" | "holder">>();
  for (const [name, rivals] of Map.groupBy(claims, ({ name }) => name)) {
    if (ground.proxyNames.has(name)) {
      for (const claim of rivals) objections.set(claim, { why: "proxy", holder: null });
      continue;
    }
    const held = longest(name, holdings);
    const able: NameClaim[] = [];
    for (const claim of rivals) {
      const objection = objectionTo(claim, held, barriers);
      if (objection === null) able.push(claim);
      else objections.set(claim, objection);
    }
    const winner = settle(able, objections);
    const holding = held.find((one) => winner !== null && isHolder(one, winner));
    if (winner !== null && holding !== undefined) taken.set(name, { claim: winner, holding });
  }
  const refused = claims.flatMap((claim) => {
    const objection = objections.get(claim);
    return objection === undefined ? [] : [{ claim, ...objection }];
  });
  return { taken, refused };
}

/** Who holds the longest zone that a name lies in. */
function longest(
  name: DomainName,
  holdings: ReadonlyMap<DomainName, readonly Holding[]>,
): readonly Holding[] {
  for (let up = parentOf(name); up !== null; up = parentOf(up)) {
    const found = holdings.get(up);
    if (found !== undefined) return found;
  }
  return [];
}

function objectionTo(
  claim: NameClaim,
  held: readonly Holding[],
  barriers: ReadonlyMap<DomainName, readonly Barrier[]>,
): Pick<RefusedName, "why" | "holder"> | null {
  const [first] = held;
  if (first === undefined) {
    return { why: isBarred(claim, null, barriers) ? "denied" : "outside", holder: null };
  }
  const own = held.find((holding) => isHolder(holding, claim));
  if (own === undefined) {
    const { profile, cluster } = first;
    return { why: "foreign", holder: { profile, cluster, app: null } };
  }
  // Of what is below their own proxy nobody can be denied a part.
  if (own.by === "own" || !isBarred(claim, own.zone, barriers)) return null;
  return { why: "denied", holder: null };
}

function isHolder(holding: Holding, { profile, cluster }: NameClaim): boolean {
  return holding.profile === profile && holding.cluster === cluster;
}

/** Tells whether a barrier stands at the name or above it, and below the zone. */
function isBarred(
  { name, profile, cluster }: NameClaim,
  zone: DomainName | null,
  barriers: ReadonlyMap<DomainName, readonly Barrier[]>,
): boolean {
  for (let up: DomainName | null = name; up !== null && up !== zone; up = parentOf(up)) {
    const stands = barriers.get(up)?.some((barrier) =>
      (barrier.profile === null || barrier.profile === profile) &&
      (barrier.cluster === null || barrier.cluster === cluster)
    );
    if (stands) return true;
  }
  return false;
}

/** Finds the one that has the name, and objects to the others. @returns `null` where nobody has it. */
function settle(
  able: readonly NameClaim[],
  objections: Map<NameClaim, Pick<RefusedName, "why" | "holder">>,
): NameClaim | null {
  // By two logins through one host an app may be seen twice.
  const apps = [...Map.groupBy(able, ({ cluster, appId }) => JSON.stringify([cluster, appId]))];
  if (apps.length === 1) return able.toSorted(byProfile)[0] ?? null;
  for (const [key, same] of apps) {
    const others = apps.filter(([other]) => other !== key).flatMap(([, claims]) => claims);
    for (const claim of same) {
      objections.set(claim, { why: "twice", holder: others.toSorted(byProfile)[0] ?? null });
    }
  }
  return null;
}

function byProfile(a: NameClaim, b: NameClaim): number {
  const key = ({ profile, cluster, app, appId }: NameClaim) =>
    JSON.stringify([profile, cluster, app, appId]);
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}
