import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { type DomainName, parseDomainName } from "../dns/mod.ts";
import { type Ground, type Holding, matchNames, type NameClaim } from "./match.ts";

const name = (text: string): DomainName => parseDomainName(text);

function claim(text: string, rest: Partial<NameClaim> = {}): NameClaim {
  const { profile = "a.test", app = "app" } = rest;
  return { name: name(text), profile, cluster: profile, app, appId: app, ...rest };
}

function holding(zone: string, rest: Partial<Holding> = {}): Holding {
  const { profile = "a.test" } = rest;
  return { zone: name(zone), profile, cluster: profile, by: "txt", ...rest };
}

function ground(rest: Partial<Ground>): Ground {
  return { holdings: [], barriers: [], proxyNames: new Set(), ...rest };
}

const A = holding("x.example");
const B = holding("in.x.example", { profile: "b.test" });
const OWN = holding("b.example", { profile: "b.test", by: "own" });
const leaf = { cluster: "leaf", app: "leafs" };
const LEAFS = holding("l.example", { cluster: "leaf" });

Deno.test("matchNames() gives every name to one app, or to none", async (t) => {
  const cases: [what: string, claims: NameClaim[], on: Partial<Ground>, want: string[]][] = [
    ["in its own zone", [claim("db.x.example")], { holdings: [A] }, ["a.test"]],
    ["at any depth", [claim("a.b.c.x.example")], { holdings: [A] }, ["a.test"]],
    ["not at the apex", [claim("x.example")], { holdings: [A] }, ["outside"]],
    ["whole labels only", [claim("dbx.example")], { holdings: [A] }, ["outside"]],
    ["nowhere", [claim("db.y.example")], { holdings: [A] }, ["outside"]],
    ["in another's", [claim("db.x.example", { profile: "b.test" })], { holdings: [A] }, [
      "foreign",
    ]],
    [
      "the longest zone's",
      [
        claim("db.in.x.example"),
        claim("db.in.x.example", { profile: "b.test" }),
      ],
      { holdings: [A, B] },
      ["foreign", "b.test"],
    ],
    [
      "the apex of the inner zone lies in the outer one",
      [
        claim("in.x.example"),
        claim("in.x.example", { profile: "b.test" }),
      ],
      { holdings: [A, B] },
      ["a.test", "foreign"],
    ],
    ["a proxy's own name", [claim("p.x.example")], {
      holdings: [A],
      proxyNames: new Set([name("p.x.example")]),
    }, ["proxy"]],
    [
      "twice in one cluster",
      [
        claim("db.x.example", { app: "one" }),
        claim("db.x.example", { app: "two" }),
      ],
      { holdings: [A] },
      ["twice", "twice"],
    ],
    ["the same app twice", [claim("db.x.example"), claim("db.x.example")], { holdings: [A] }, [
      "a.test",
      "a.test",
    ]],
    ["of a leaf in what the login has", [claim("db.b.example", { profile: "b.test", ...leaf })], {
      holdings: [OWN],
    }, ["foreign"]],
    ["of a leaf in what its root was granted", [claim("db.x.example", leaf)], { holdings: [A] }, [
      "foreign",
    ]],
    [
      "of a leaf in its own, and of nobody else there",
      [
        claim("db.l.example", leaf),
        claim("db.l.example"),
        claim("db.l.example", { ...leaf, cluster: "other" }),
      ],
      { holdings: [LEAFS] },
      ["a.test", "foreign", "foreign"],
    ],
    ["denied below a granted zone", [claim("db.in.x.example"), claim("db.x.example")], {
      holdings: [A],
      barriers: [{ suffix: name("in.x.example"), profile: null, cluster: null }],
    }, ["denied", "a.test"]],
    ["denied to another", [claim("db.in.x.example")], {
      holdings: [A],
      barriers: [{ suffix: name("in.x.example"), profile: "b.test", cluster: null }],
    }, ["a.test"]],
    ["granted below what is denied", [claim("db.in.x.example", { profile: "b.test" })], {
      holdings: [B],
      barriers: [{ suffix: name("x.example"), profile: null, cluster: null }],
    }, ["b.test"]],
    ["a login's own is not denied", [claim("db.b.example", { profile: "b.test" })], {
      holdings: [OWN],
      barriers: [{ suffix: name("db.b.example"), profile: null, cluster: null }],
    }, ["b.test"]],
  ];
  for (const [what, claims, on, want] of cases) {
    await t.step(what, () => {
      const { taken, refused } = matchNames(claims, ground(on));
      const got = claims.map((one) =>
        refused.find(({ claim }) => claim === one)?.why ?? taken.get(one.name)?.claim.profile
      );
      deepEqual(got, want);
    });
  }
});

/**
 * What the rules say, written down again without a thought for speed: of each claim, whether it has the name, by
 * looking at every zone and every other claim.
 */
function hasName(one: NameClaim, claims: readonly NameClaim[], on: Ground): boolean {
  const below = (text: string, suffix: string) => text.endsWith(`.${suffix}`);
  if ([...on.proxyNames].includes(one.name)) return false;
  const able = (claim: NameClaim) => {
    const around = on.holdings.filter(({ zone }) => below(claim.name, zone));
    const length = Math.max(0, ...around.map(({ zone }) => zone.length));
    const mine = around.find((held) =>
      held.zone.length === length && held.profile === claim.profile &&
      held.cluster === claim.cluster
    );
    if (mine === undefined) return false;
    const barred = on.barriers.some(({ suffix, profile, cluster }) =>
      (claim.name === suffix || below(claim.name, suffix)) && suffix.length > length &&
      (profile === null || profile === claim.profile) &&
      (cluster === null || cluster === claim.cluster)
    );
    return mine.by === "own" || !barred;
  };
  if (!able(one)) return false;
  return claims.filter((other) => other.name === one.name && able(other))
    .every(({ cluster, appId }) => cluster === one.cluster && appId === one.appId);
}

const label = fc.constantFrom("a", "b", "ab");
const names = fc.array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => name(labels.join(".")));
const profiles = fc.constantFrom("p", "q");
const clusters = fc.constantFrom("p", "q", "leaf");
const claims = fc.array(
  fc.record({
    name: names,
    profile: profiles,
    cluster: clusters,
    app: fc.constantFrom("one", "two"),
  }).map((one): NameClaim => ({ ...one, appId: one.app })),
  { maxLength: 12 },
);
const grounds = fc.record({
  holdings: fc.array(
    fc.record({
      zone: names,
      profile: profiles,
      cluster: clusters,
      by: fc.constantFrom("txt", "own"),
    })
      .map((held): Holding => ({ ...held, by: held.by === "own" ? "own" : "txt" })),
    { maxLength: 6 },
  ).map((all) => all.filter(({ zone }, n) => all.findIndex((one) => one.zone === zone) === n)),
  barriers: fc.array(
    fc.record({ suffix: names, profile: fc.option(profiles), cluster: fc.option(clusters) }),
    { maxLength: 3 },
  ),
  proxyNames: fc.array(names, { maxLength: 2 }).map((all) => new Set(all)),
});

Deno.test("matchNames() says what the rules say, whatever order the claims come in", () => {
  fc.assert(
    fc.property(
      claims.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))
      ),
      grounds,
      ([all, shuffled], on) => {
        const { taken, refused } = matchNames(all, on);
        for (const one of all) {
          const has = hasName(one, all, on);
          equal(refused.some(({ claim }) => claim === one), !has && !isSame(taken, one));
          if (has) equal(isSame(taken, one), true);
        }
        for (const { claim } of taken.values()) equal(hasName(claim, all, on), true);
        const again = matchNames(shuffled, on);
        deepEqual(
          [...again.taken].sort().map(([name, { claim }]) => [name, claim.profile, claim.appId]),
          [...taken].sort().map(([name, { claim }]) => [name, claim.profile, claim.appId]),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

function isSame(taken: ReturnType<typeof matchNames>["taken"], one: NameClaim): boolean {
  const found = taken.get(one.name)?.claim;
  return found !== undefined && found.cluster === one.cluster && found.appId === one.appId &&
    found.profile === one.profile;
}
