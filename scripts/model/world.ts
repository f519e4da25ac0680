/**
 * The world that a client lives in, as the model sees it: logins, clusters, apps, words, records, the machine and the
 * clock. Plain facts that steps change; what follows from them is for the oracle to say.
 *
 * @module
 */
import type { AdminGrant, AppView, RangeWord, ZoneWord } from "../../lib/plan/mod.ts";
import { parseDomainName } from "../../lib/dns/mod.ts";
import { parsePrefix } from "../../lib/ip/mod.ts";
import type { StateInput } from "../../lib/client/state/mod.ts";

/** A cluster that may be logged in to, or stand behind one. */
export interface WorldCluster {
  readonly name: string;
  proxyHosts: string[];
  range: string;
  zones: { suffix: string; isPrivate: boolean }[];
}

export interface WorldApp {
  readonly id: string;
  names: string[];
  /** Whether it is the leaf's. */
  isLeaf: boolean;
  ports: readonly { readonly first: number; readonly last: number }[] | null;
}

/** One login; there are so many seats, each with a cluster and a leaf of its own. */
export interface Login {
  readonly profile: string;
  readonly host: string;
  readonly root: WorldCluster;
  readonly leaf: WorldCluster;
  isIn: boolean;
  isOver: boolean;
  isLocked: boolean;
  hasLeaf: boolean;
  /** Whether what it publishes is known. */
  isSeen: boolean;
  apps: WorldApp[];
}

export interface World {
  readonly logins: readonly Login[];
  words: readonly ZoneWord[];
  admin: readonly AdminGrant[];
  /** By zone: the clusters that its TXT records name, or why they cannot be asked for. */
  readonly records: Map<
    string,
    { readonly names: readonly string[]; readonly failure: string | null }
  >;
  consent: readonly RangeWord[];
  granted: readonly string[] | null;
  foreign: readonly string[];
  hasIpv6: boolean;
  nowMs: number;
}

/** The last one's leaf calls itself what another cluster is called. */
const SEATS = [
  { profile: "a.test", host: "a.test", root: "a.test", leaf: "leaf-a", range: "100.80.0.0/16" },
  { profile: "b.test", host: "b.test", root: "b.test", leaf: "eu.b.test", range: "100.96.0.0/27" },
  {
    profile: "in.a.test",
    host: "in.a.test",
    root: "plain",
    leaf: "b.test",
    range: "100.64.0.0/10",
  },
] as const;

/** Names and zones that everybody argues about: few, so that they meet. */
export const ZONES = ["x.test", "in.x.test", "a.test", "deep.in.x.test", "y.test", "com"] as const;
export const NAMES = [
  ...["db.a.test", "db.b.test", "db.in.a.test", "db.x.test", "db.in.x.test", "q.db.x.test"],
  ...["a.test", "x.test", "deep.in.x.test", "db.y.test", "db.nowhere.test", "alias.x.test"],
] as const;
export const RANGES = [
  ...["100.64.0.0/10", "100.96.0.0/27", "100.80.0.0/16", "10.44.0.0/16", "8.8.8.0/24", "nonsense"],
] as const;
export const FOREIGN = ["100.64.0.0/16", "100.96.0.0/24", "10.44.3.0/24", "100.80.7.7/32"] as const;
export const GRANTS = ["10.0.0.0/8", "10.44.0.0/16", "172.16.0.0/12"] as const;
export const HOSTS = ["alias.x.test", "b.test", "alias.a.test"] as const;

export function newWorld(): World {
  return {
    logins: SEATS.map(({ profile, host, root, leaf, range }): Login => ({
      ...{ profile, host, isIn: false, isOver: false, isLocked: false, hasLeaf: false },
      root: { name: root, proxyHosts: [host], range, zones: [] },
      leaf: { name: leaf, proxyHosts: [], range: "100.80.0.0/16", zones: [] },
      ...{ isSeen: true, apps: [] },
    })),
    ...{ words: [], admin: [], records: new Map(), consent: [], granted: [], foreign: [] },
    ...{ hasIpv6: true, nowMs: Date.UTC(2026, 0, 1) },
  };
}

/** What the client is told of it. */
export function inputOf(world: World): StateInput {
  const logins = world.logins.filter(({ isIn }) => isIn);
  return {
    sources: logins.filter(({ isSeen }) => isSeen).map((login) => ({
      profile: login.profile,
      proxyHost: login.host,
      view: {
        root: structuredClone(login.root),
        leaves: login.hasLeaf ? [structuredClone(login.leaf)] : [],
        apps: appsOf(login).map((app) => viewOf(login, app)),
      },
    })),
    logins: logins.map(({ profile, root, isOver, isLocked }) => ({
      ...{ name: profile, cluster: root.name, user: "alice", isOver: isOver || isLocked, isLocked },
      expiresMs: world.nowMs + 3_600_000,
    })),
    range: null,
    zones: {
      words: world.words,
      admin: world.admin,
      proofs: new Map([...world.records].map(([zone, { names, failure }]) => [
        parseDomainName(zone),
        { names: names.map((name) => ({ name, sinceMs: 0 })), failure },
      ])),
    },
    consent: { words: world.consent, granted: world.granted?.map(parsePrefix) ?? null },
    machine: { foreign: world.foreign.map(parsePrefix), hasIpv6: world.hasIpv6, allDns: false },
    nowMs: world.nowMs,
  };
}

/** The apps that a login sees: those of a leaf only while there is one. */
export function appsOf(login: Login): readonly WorldApp[] {
  return login.apps.filter(({ isLeaf }) => !isLeaf || login.hasLeaf);
}

export function clusterOf(login: Login, app: WorldApp): WorldCluster {
  return app.isLeaf ? login.leaf : login.root;
}

function viewOf(login: Login, app: WorldApp): AppView {
  return {
    ...{ kind: "tcp", name: app.id, cluster: clusterOf(login, app).name, id: app.id },
    ...{ publicAddrs: [...app.names], description: null, labels: {}, ports: app.ports },
  };
}
