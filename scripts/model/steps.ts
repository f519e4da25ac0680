/**
 * What may happen to a client, as commands that fast-check puts together and shrinks.
 *
 * @module
 */
import fc from "fast-check";
import { parseDomainName } from "../../lib/dns/mod.ts";
import { type AdminGrant, type RangeWord, withRangeWord, withWord } from "../../lib/plan/mod.ts";
import type { ModelClient } from "./client.ts";
import { FOREIGN, GRANTS, HOSTS, type Login, NAMES, RANGES, type World, ZONES } from "./world.ts";

/** What one step changes. @returns False if it could not happen. */
type Act = (world: World, client: ModelClient) => boolean;

/** How often each kind was taken. */
export type Tally = Map<string, number>;

class Step implements fc.Command<World, ModelClient> {
  readonly #kind: string;
  readonly #what: string;
  readonly #act: Act;
  readonly #tally: Tally;

  constructor(kind: string, what: string, act: Act, tally: Tally) {
    this.#kind = kind;
    this.#what = what;
    this.#act = act;
    this.#tally = tally;
  }

  check(): boolean {
    return true;
  }

  run(world: World, client: ModelClient): void {
    if (!this.#act(world, client)) return;
    this.#tally.set(this.#kind, (this.#tally.get(this.#kind) ?? 0) + 1);
    client.step();
  }

  toString(): string {
    return `${this.#kind}(${this.#what})`;
  }
}

const SEAT = fc.constantFrom(0, 1, 2);
const ZONE = fc.constantFrom(...ZONES);
const NAME = fc.constantFrom(...NAMES);
const APP = fc.constantFrom("one", "two", "three");
const NAMED = ["a.test", "b.test", "plain", "leaf-a", "eu.b.test", "in.a.test", "nobody"] as const;
const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Enough to fill the smallest range there is, in two goes. */
const CROWD = 22;

/** Where a run begins: who is logged in, and what they publish. */
export const STARTS: fc.Arbitrary<Start> = fc.array(
  fc.record({
    isIn: fc.boolean(),
    hasLeaf: fc.boolean(),
    zones: fc.uniqueArray(ZONE, { maxLength: 2 }),
    leafZones: fc.uniqueArray(ZONE, { maxLength: 2 }),
    apps: fc.uniqueArray(
      fc.record({
        id: APP,
        names: fc.uniqueArray(NAME, { minLength: 1, maxLength: 3 }),
        isLeaf: fc.boolean(),
      }),
      { maxLength: 3, selector: ({ id }) => id },
    ),
  }),
  { minLength: 3, maxLength: 3, size: "max" },
).map((seats) => new Start(seats));

/** Where a run begins. */
interface Seat {
  readonly isIn: boolean;
  readonly hasLeaf: boolean;
  readonly zones: readonly string[];
  readonly leafZones: readonly string[];
  readonly apps: readonly {
    readonly id: string;
    readonly names: string[];
    readonly isLeaf: boolean;
  }[];
}

class Start {
  readonly #seats: readonly Seat[];

  constructor(seats: readonly Seat[]) {
    this.#seats = seats;
  }

  /** Lays out a world. */
  apply({ logins }: World): void {
    this.#seats.forEach(({ isIn, hasLeaf, zones, leafZones, apps }, n) => {
      const login = logins[n];
      if (login === undefined) return;
      Object.assign(login, { isIn, hasLeaf });
      login.root.zones = zones.map((suffix) => ({ suffix, isPrivate: false }));
      login.leaf.zones = leafZones.map((suffix) => ({ suffix, isPrivate: true }));
      login.apps = apps.map(({ id, names, isLeaf }) => ({
        ...{ id: idOf(n, id), names: [...names], isLeaf, ports: null },
      }));
    });
  }

  /** For whoever reads of a failure. */
  [fc.toStringMethod](): string {
    return JSON.stringify(this.#seats);
  }
}

/** Every kind of step. */
export function stepsOf(tally: Tally): fc.Arbitrary<fc.Command<World, ModelClient>>[] {
  const kind = <T>(name: string, input: fc.Arbitrary<T>, act: (given: T) => Act) =>
    input.map((given): fc.Command<World, ModelClient> =>
      new Step(name, JSON.stringify(given), act(given), tally)
    );
  const seat = (world: World, n: number): Login => {
    const login = world.logins[n];
    if (login === undefined) throw new RangeError(`There is no seat ${n}`);
    return login;
  };
  const cluster = (world: World, n: number, isLeaf: boolean) =>
    isLeaf ? seat(world, n).leaf : seat(world, n).root;
  const words = fc.record({
    zone: ZONE,
    profile: fc.option(fc.constantFrom("a.test", "b.test", "in.a.test")),
    cluster: fc.option(fc.constantFrom("a.test", "b.test", "plain", "leaf-a")),
  });
  const word = (verdict: "allow" | "deny" | "later" | "forget") =>
    kind(`zone ${verdict}`, words, ({ zone, profile, cluster }) => (world) => {
      const suffix = parseDomainName(zone);
      // Who is allowed is always named: nobody can say yes to all clusters there may ever be.
      const whom = verdict === "allow"
        ? { profile: profile ?? "a.test", cluster: cluster ?? "a.test" }
        : { profile, cluster: profile === null ? null : cluster };
      world.words = withWord(world.words, { suffix, ...whom, verdict, sinceMs: world.nowMs });
      return true;
    });
  const app = (
    name: string,
    act: (found: Login["apps"][number], login: Login, given: string) => void,
    given: fc.Arbitrary<string> = NAME,
  ) =>
    kind(name, fc.tuple(SEAT, APP, given), ([n, id, more]) => (world) => {
      const found = seat(world, n).apps.find((one) => one.id === idOf(n, id));
      if (found === undefined) return false;
      act(found, seat(world, n), more);
      return true;
    });
  const login = kind("login", fc.tuple(SEAT, fc.boolean()), ([n, hasLeaf]) => (world) => {
    Object.assign(seat(world, n), { isIn: true, isOver: false, isSeen: true, hasLeaf });
    return true;
  });
  const unlocked = kind("login is unlocked", SEAT, (n) => (world) => {
    seat(world, n).isLocked = false;
    return true;
  });
  const seen = kind("view comes back", SEAT, (n) => (world) => seat(world, n).isSeen = true);
  const crowd = kind(
    "crowd comes",
    fc.tuple(fc.constantFrom(0, 1, 1, 2), fc.nat(2)),
    ([n, k]) => (world) => {
      const login = seat(world, n);
      const id = `crowd${n}${k}`;
      if (login.apps.some((one) => one.id === id)) return false;
      const names = Array.from({ length: CROWD }, (_, i) => `n${i}-${k}.${login.host}`);
      login.apps.push({ id, names, isLeaf: false, ports: null });
      return true;
    },
  );
  // What undoes is as frequent as all that does.
  return [
    ...[login, login, login, login, unlocked, unlocked, seen, seen, crowd, crowd],
    kind("logout", SEAT, (n) => (world) => {
      seat(world, n).isIn = false;
      return true;
    }),
    kind("login ends", SEAT, (n) => (world) => seat(world, n).isOver = true),
    kind("login is locked", SEAT, (n) => (world) => seat(world, n).isLocked = true),
    kind("view is lost", SEAT, (n) => (world) => {
      seat(world, n).isSeen = false;
      return true;
    }),
    kind("leaf comes or goes", SEAT, (n) => (world) => {
      seat(world, n).hasLeaf = !seat(world, n).hasLeaf;
      return true;
    }),
    kind(
      "app appears",
      fc.tuple(SEAT, APP, fc.uniqueArray(NAME, { minLength: 1, maxLength: 3 }), fc.boolean()),
      ([n, id, names, isLeaf]) => (world) => {
        const { apps } = seat(world, n);
        if (apps.some((one) => one.id === idOf(n, id))) return false;
        apps.push({ id: idOf(n, id), names, isLeaf, ports: null });
        return true;
      },
    ),
    kind("app is removed", fc.tuple(SEAT, APP), ([n, id]) => (world) => {
      const login = seat(world, n);
      const count = login.apps.length;
      login.apps = login.apps.filter((one) => one.id !== idOf(n, id));
      return login.apps.length < count;
    }),
    app("app is renamed", (found, _login, name) => found.names = [name]),
    app("app gets one more name", (found, _login, name) => found.names = [...found.names, name]),
    app("app moves to the other cluster", (found) => found.isLeaf = !found.isLeaf),
    app("app changes its ports", (found) => {
      found.ports = found.ports === null ? [{ first: 5432, last: 5433 }] : null;
    }),
    app("app takes a name that is another's", (found, login, name) => {
      found.names = [name, ...login.apps.flatMap(({ names }) => names)].slice(0, 8);
    }),
    kind("crowds make room for others", fc.constant(null), () => (world) => {
      const crowds = world.logins.flatMap(({ apps }) => apps)
        .filter(({ id }) => id.startsWith("crowd"));
      for (const crowd of crowds) {
        crowd.names = crowd.names.map((name) => name.startsWith("x") ? name.slice(1) : `x${name}`);
      }
      return crowds.length > 0;
    }),
    kind("crowd goes", fc.tuple(SEAT, fc.nat(2)), ([n, k]) => (world) => {
      const login = seat(world, n);
      const count = login.apps.length;
      login.apps = login.apps.filter(({ id }) => id !== `crowd${n}${k}`);
      return login.apps.length < count;
    }),
    kind(
      "cluster asks for a zone",
      fc.tuple(SEAT, fc.boolean(), ZONE, fc.boolean()),
      ([n, isLeaf, suffix, isPrivate]) => (world) => {
        cluster(world, n, isLeaf).zones.push({ suffix, isPrivate });
        cluster(world, n, isLeaf).zones.splice(0, cluster(world, n, isLeaf).zones.length - 4);
        return true;
      },
    ),
    kind(
      "cluster gives up a zone",
      fc.tuple(SEAT, fc.boolean(), ZONE),
      ([n, isLeaf, zone]) => (world) => {
        const one = cluster(world, n, isLeaf);
        one.zones = one.zones.filter(({ suffix }) => suffix !== zone);
        return true;
      },
    ),
    kind(
      "cluster calls a host its proxy",
      fc.tuple(SEAT, fc.boolean(), fc.option(fc.constantFrom(...HOSTS))),
      ([n, isLeaf, host]) => (world) => {
        const own = isLeaf ? [] : [seat(world, n).host];
        cluster(world, n, isLeaf).proxyHosts = host === null ? own : [...own, host];
        return true;
      },
    ),
    kind(
      "cluster changes its range",
      fc.tuple(SEAT, fc.boolean(), fc.constantFrom(...RANGES)),
      ([n, isLeaf, range]) => (world) => {
        cluster(world, n, isLeaf).range = range;
        return true;
      },
    ),
    word("allow"),
    word("deny"),
    word("later"),
    word("forget"),
    kind(
      "administrator's file changes",
      fc.array(
        fc.record({
          suffix: ZONE.map(parseDomainName),
          proxy: fc.constantFrom("a.test", "b.test"),
        }),
        { maxLength: 3 },
      ),
      (grants: readonly AdminGrant[]) => (world) => {
        world.admin = grants;
        return true;
      },
    ),
    kind(
      "TXT record changes",
      fc.tuple(ZONE, fc.uniqueArray(fc.constantFrom(...NAMED), { maxLength: 2 })),
      ([zone, names]) => (world) => {
        world.records.set(zone, { names: names.sort(), failure: null });
        return true;
      },
    ),
    kind("TXT record cannot be asked for", ZONE, (zone) => (world) => {
      world.records.set(zone, { names: world.records.get(zone)?.names ?? [], failure: "SERVFAIL" });
      return true;
    }),
    kind("TXT record is forgotten", ZONE, (zone) => (world) => world.records.delete(zone)),
    kind(
      "user speaks about a range",
      fc.record({
        profile: fc.constantFrom("a.test", "b.test", "in.a.test"),
        range: fc.constant("10.44.0.0/16"),
        isTaken: fc.boolean(),
      }),
      (said: RangeWord) => (world) => {
        world.consent = withRangeWord(world.consent, said);
        return true;
      },
    ),
    kind("somebody takes addresses", fc.constantFrom(...FOREIGN), (range) => (world) => {
      world.foreign = [...new Set([...world.foreign, range])];
      return true;
    }),
    kind("somebody gives addresses back", fc.constantFrom(...FOREIGN), (range) => (world) => {
      world.foreign = world.foreign.filter((one) => one !== range);
      return true;
    }),
    kind("IPv6 goes or comes back", fc.boolean(), (hasIpv6) => (world) => {
      world.hasIpv6 = hasIpv6;
      return true;
    }),
    kind("cluster refuses a connection", fc.tuple(SEAT, APP), ([n, id]) => (_world, client) => {
      client.refuse(idOf(n, id));
      return true;
    }),
    kind("seconds pass", fc.integer({ min: 1, max: 400 }), (seconds) => (world) => {
      world.nowMs += seconds * SECOND_MS;
      return true;
    }),
    kind("days pass", fc.integer({ min: 1, max: 9 }), (days) => (world) => {
      world.nowMs += days * DAY_MS;
      return true;
    }),
    kind("restart", fc.constant(null), () => (_world, client) => {
      client.restart();
      return true;
    }),
    kind(
      "restart, and root allows other ranges",
      fc.uniqueArray(fc.constantFrom(...GRANTS), { maxLength: 2 }),
      (granted) => (world, client) => {
        world.granted = granted;
        client.restart();
        return true;
      },
    ),
  ];
}

/** Ids are a cluster's own: no two logins have the same one here. */
function idOf(n: number, id: string): string {
  return `${id}-${n}`;
}
