import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type DomainName, parseDomainName } from "../dns/mod.ts";
import { NOTHING_SAID, withWord, type ZoneKnowledge, type ZoneWord } from "./knowledge.ts";
import { compilePlan, grantOf, type Plan } from "./plan.ts";
import type { AppView, PlanSource } from "./view.ts";

interface Login {
  readonly proxyHost?: string;
  readonly cluster?: string;
  readonly zones?: readonly string[];
  readonly proxyHosts?: readonly string[];
  /** The public addresses of one app each. */
  readonly apps?: readonly string[];
}

/** A login whose profile, proxy and cluster are called the same. */
function login(profile: string, rest: Login = {}): PlanSource {
  const { cluster = profile, proxyHost = profile } = rest;
  const root = {
    name: cluster,
    proxyHosts: rest.proxyHosts ?? [proxyHost],
    range: "100.64.0.0/10",
    zones: (rest.zones ?? []).map((suffix) => ({ suffix, isPrivate: false })),
  };
  const apps = (rest.apps ?? []).map((address, n): AppView => ({
    kind: "tcp",
    name: `app${n}`,
    cluster,
    id: `${profile}-${n}`,
    publicAddrs: [address],
    description: null,
    labels: {},
    ports: null,
  }));
  return { profile, proxyHost, view: { root, leaves: [], apps } };
}

/** The same with a leaf. */
function withLeaf(source: PlanSource, name: string, leaf: Omit<Login, "cluster">): PlanSource {
  const { view } = login(name, { ...leaf, proxyHosts: leaf.proxyHosts ?? [`proxy.${name}`] });
  const apps = view.apps.map((app) => ({ ...app, name: `leaf-${app.name}`, id: `leaf-${app.id}` }));
  return {
    ...source,
    view: {
      ...source.view,
      leaves: [...source.view.leaves, view.root],
      apps: [...source.view.apps, ...apps],
    },
  };
}

/** How one cluster of a login stands to a zone. */
function leafStands(found: Plan, suffix: string, cluster: string): string {
  const one = found.standings.find((one) => one.suffix === suffix && one.cluster === cluster);
  return one === undefined ? "nothing" : one.by === null ? one.state : `${one.state} ${one.by}`;
}

const zone = (text: string): DomainName => parseDomainName(text);

function word(suffix: string, verdict: ZoneWord["verdict"], profile: string | null = null) {
  return { suffix: zone(suffix), profile, cluster: null, verdict, sinceMs: 7 };
}

function txt(suffix: string, ...names: readonly string[]): Pick<ZoneKnowledge, "proofs"> {
  const proof = { names: names.map((name) => ({ name, sinceMs: 5 })), failure: null };
  return { proofs: new Map([[zone(suffix), proof]]) };
}

function plan(sources: readonly PlanSource[], known: Partial<ZoneKnowledge> = {}): Plan {
  return compilePlan(sources, { range: null, zones: { ...NOTHING_SAID, ...known } });
}

/** How a login stands to a zone: its state, and what it is served by. */
function stands(found: Plan, suffix: string, profile: string): string {
  const one = found.standings.find((one) => one.suffix === suffix && one.profile === profile);
  return one === undefined ? "nothing" : one.by === null ? one.state : `${one.state} ${one.by}`;
}

function holder(found: Plan, name: string): string | null {
  return found.targets.get(zone(name))?.profile ?? null;
}

// What happened: the cluster that sorts first took them all, and nobody was told.
const VICTIM = login("teleport.victim.example", {
  zones: ["company.test"],
  apps: ["web.teleport.victim.example", "db.company.test"],
});
const THIEF = login("a-thief.example", {
  zones: [
    "company.test",
    "github.com",
    "victim.example",
    "teleport.victim.example",
    "in.teleport.victim.example",
  ],
  proxyHosts: ["a-thief.example", "db.company.test", "web.teleport.victim.example"],
  apps: [
    "web.teleport.victim.example",
    "db.company.test",
    "api.github.com",
    "x.in.teleport.victim.example",
    "teleport.victim.example",
    "web.a-thief.example",
  ],
});

Deno.test("attack: a cluster lists others' zones, and publishes others' names", async (t) => {
  const known = txt("company.test", "teleport.victim.example");
  for (const order of [[VICTIM, THIEF], [THIEF, VICTIM]]) {
    await t.step(order.map(({ profile }) => profile).join(", "), () => {
      const found = plan(order, known);
      deepEqual([...found.targets].map(([name, { profile }]) => `${name} ${profile}`), [
        "db.company.test teleport.victim.example",
        "web.a-thief.example a-thief.example",
        "web.teleport.victim.example teleport.victim.example",
      ]);
      deepEqual(found.zones, ["a-thief.example", "company.test", "teleport.victim.example"]);
      // A proxy's name is not answered for; that another's app is called so is no reason to leave it out.
      deepEqual(found.excluded, ["a-thief.example", "teleport.victim.example"]);
      deepEqual(
        ["company.test", "github.com", "victim.example", "in.teleport.victim.example"]
          .map((suffix) => stands(found, suffix, "a-thief.example")),
        ["pending", "pending", "pending", "refused"],
      );
    });
  }
});

Deno.test("attack: what the user sees blames the taker, and nobody else", () => {
  const { warnings } = plan([THIEF, VICTIM], txt("company.test", "teleport.victim.example"));
  ok(warnings.length > 0);
  for (const { message } of warnings) {
    match(message, /^Cluster "a-thief.example"|of cluster "a-thief.example"/);
  }
  const told = (code: string) => warnings.filter((one) => one.code === code);
  deepEqual(
    told("zone-pending").map(({ message }) => message),
    [
      'Cluster "a-thief.example" asks for the names below "company.test" and does not get them yet: its TXT record names teleport.victim.example',
      'Cluster "a-thief.example" asks for the names below "github.com" and does not get them yet: its TXT records were not asked for yet',
      'Cluster "a-thief.example" asks for the names below "victim.example" and does not get them yet: its TXT records were not asked for yet',
    ],
  );
  equal(
    told("zone-pending")[1]?.hint,
    "If they are the cluster's, run `vnet zones allow github.com --cluster a-thief.example`; if not, `vnet zones deny github.com`",
  );
  equal(
    told("zone-foreign")[0]?.message,
    'Cluster "a-thief.example" asks for the names below "teleport.victim.example" and does not get them: it belongs to teleport.victim.example, where you are logged in as well',
  );
});

Deno.test("attack: a name of another's without asking for the zone", () => {
  const thief = login("a-thief.example", { apps: ["web.teleport.victim.example"] });
  const found = plan([thief, VICTIM]);
  equal(holder(found, "web.teleport.victim.example"), "teleport.victim.example");
  deepEqual(found.warnings.filter(({ code }) => code === "name-foreign"), [{
    code: "name-foreign",
    message:
      'The name "web.teleport.victim.example" of app "app0" of cluster "a-thief.example" is not used: it belongs to cluster "teleport.victim.example"',
  }]);
  deepEqual(found.refusedNames[0]?.claim.profile, "a-thief.example");
});

Deno.test("attack: a cluster calls itself what another is called", async (t) => {
  const known = txt("company.test", "teleport.victim.example");
  const thief = { ...THIEF, view: { ...THIEF.view, root: { ...THIEF.view.root } } };
  const impostor = login("a-thief.example", {
    cluster: "teleport.victim.example",
    zones: ["company.test"],
    apps: ["db.company.test"],
  });
  await t.step("with the other there", () => {
    const found = plan([impostor, VICTIM, thief], known);
    equal(holder(found, "db.company.test"), "teleport.victim.example");
  });
  await t.step("alone", () => {
    const found = plan([impostor], known);
    equal(holder(found, "db.company.test"), null);
    match(
      found.warnings[0]?.message ?? "",
      /the proxy a-thief\.example does not show to be that$/,
    );
  });
  await t.step("by a name that is no domain name, with the other there: neither", () => {
    const named = (profile: string) =>
      login(profile, { cluster: "prod", zones: ["company.test"], apps: ["db.company.test"] });
    const found = plan(
      [named("a.test.example"), named("b.test.example")],
      txt("company.test", "prod"),
    );
    equal(holder(found, "db.company.test"), null);
    equal(stands(found, "company.test", "b.test.example"), "conflict");
  });
});

Deno.test("judgeZones() gives a zone by TXT record, by the user's word or the administrator's", async (t) => {
  const one = login("teleport.one.example", { zones: ["company.test"], apps: ["db.company.test"] });
  const me = "teleport.one.example";
  const admin = [{ suffix: zone("company.test"), proxy: me }];
  const cases: [what: string, known: Partial<ZoneKnowledge>, want: string][] = [
    ["nobody said anything", {}, "pending"],
    ["a record names the cluster", txt("company.test", me), "served txt"],
    ["a record names others, and it", txt("company.test", "b.example", me), "served txt"],
    ["a record names another", txt("company.test", "b.example"), "pending"],
    ["a record on the zone above", txt("test", me), "pending"],
    ["a record on a zone below", txt("in.company.test", me), "pending"],
    ["there is no record", txt("company.test"), "pending"],
    ["the user allows it", { words: [word("company.test", "allow", me)] }, "served user"],
    ["the user allows it to another", {
      words: [word("company.test", "allow", "b.example")],
    }, "pending"],
    ["the user allows the zone below", {
      words: [word("in.company.test", "allow", me)],
    }, "pending"],
    ["the administrator gives it", { admin }, "served admin"],
    ["the administrator names the usual port", {
      admin: [{ suffix: zone("company.test"), proxy: `${me}:443` }],
    }, "served admin"],
    ["the administrator gives it to another", {
      admin: [{ suffix: zone("company.test"), proxy: "b.example" }],
    }, "pending"],
    ["the user denies what a record gives", {
      ...txt("company.test", me),
      words: [word("company.test", "deny")],
    }, "denied"],
    ["the user denies what the administrator gives", {
      admin,
      words: [word("company.test", "deny", me)],
    }, "denied"],
    ["the user denies the zone above", {
      ...txt("company.test", me),
      words: [word("test", "deny")],
    }, "denied"],
    ["the user denies above, and allows here", {
      words: [word("test", "deny"), word("company.test", "allow", me)],
    }, "served user"],
    ["the user denies all, and allows one", {
      words: [word("company.test", "deny"), word("company.test", "allow", me)],
    }, "served user"],
    ["the user denies it to another", {
      ...txt("company.test", me),
      words: [word("company.test", "deny", "b.example")],
    }, "served txt"],
    ["the user was asked and said neither", {
      words: [word("company.test", "later", me)],
    }, "pending"],
  ];
  for (const [what, known, want] of cases) {
    await t.step(what, () => {
      const found = plan([one], known);
      equal(stands(found, "company.test", me), want);
      equal(holder(found, "db.company.test"), want.startsWith("served") ? me : null);
    });
  }
});

Deno.test("judgeZones() believes a record about a cluster where its proxy shows to be that", async (t) => {
  const cases: [proxy: string, cluster: string, record: string, served: boolean][] = [
    ["teleport.one.example", "teleport.one.example", "teleport.one.example", true],
    ["teleport.one.example", "one.example", "one.example", true],
    ["teleport.one.example", "prod", "prod", true],
    ["teleport.one.example", "prod", "teleport.one.example", true], // the proxy itself
    ["teleport.one.example", "Prod", "prod", true],
    ["teleport.one.example", "two.example", "two.example", false],
    ["one.example", "teleport.one.example", "teleport.one.example", false],
    ["evil.github.io", "github.io", "github.io", false],
    ["evil.co.uk", "co.uk", "co.uk", false],
    ["192.0.2.1", "two.example", "two.example", false],
  ];
  for (const [proxyHost, cluster, record, served] of cases) {
    await t.step(`${proxyHost} says it is ${cluster}`, () => {
      const one = login(proxyHost, { proxyHost, cluster, zones: ["company.test"] });
      const state = stands(plan([one], txt("company.test", record)), "company.test", proxyHost);
      equal(state, served ? "served txt" : "pending");
    });
  }
});

Deno.test("judgeZones() gives what lies below a login's own proxy to that login alone", async (t) => {
  const outer = login("corp.example", {
    zones: ["in.corp.example", "x.inner.corp.example"],
    apps: ["web.corp.example", "db.in.corp.example", "x.inner.corp.example"],
  });
  const inner = login("inner.corp.example", { apps: ["y.inner.corp.example"] });
  await t.step("the nearest proxy counts", () => {
    const found = plan([outer, inner]);
    equal(stands(found, "in.corp.example", "corp.example"), "served own");
    equal(stands(found, "x.inner.corp.example", "corp.example"), "refused");
    equal(holder(found, "db.in.corp.example"), "corp.example");
    equal(holder(found, "x.inner.corp.example"), null);
    equal(holder(found, "y.inner.corp.example"), "inner.corp.example");
  });
  await t.step("nobody can give or take it", () => {
    const thief = login("thief.example", {
      zones: ["web.corp.example", "corp.example"],
      apps: ["web.corp.example", "x.web.corp.example"],
    });
    const words = [
      word("corp.example", "allow", "thief.example"),
      word("web.corp.example", "allow", "thief.example"),
      word("corp.example", "deny", "corp.example"),
    ];
    const found = plan([outer, thief], { words, ...txt("web.corp.example", "thief.example") });
    equal(holder(found, "web.corp.example"), "corp.example");
    equal(holder(found, "x.web.corp.example"), null);
    equal(stands(found, "web.corp.example", "thief.example"), "refused");
  });
  await t.step("a granted zone around a proxy ends there", () => {
    const around = login("a.example", {
      zones: ["corp.example"],
      apps: ["inner.corp.example", "z.inner.corp.example", "z.corp.example"],
    });
    const found = plan([around, inner], { words: [word("corp.example", "allow", "a.example")] });
    equal(holder(found, "z.corp.example"), "a.example");
    equal(holder(found, "z.inner.corp.example"), null);
    equal(holder(found, "inner.corp.example"), null);
    ok(found.excluded.includes(zone("inner.corp.example")));
  });
});

Deno.test("judgeZones() has the longest zone win, and equal ones served by neither", async (t) => {
  const a = login("a.example", {
    zones: ["company.test"],
    apps: ["db.company.test", "db.eu.company.test"],
  });
  const b = login("b.example", {
    zones: ["company.test", "eu.company.test"],
    apps: ["db.company.test", "db.eu.company.test"],
  });
  const both: Partial<ZoneKnowledge> = {
    proofs: new Map([
      ...txt("company.test", "a.example", "b.example").proofs,
      ...txt("eu.company.test", "b.example").proofs,
    ]),
  };
  await t.step("by the same right: neither, and both are told", () => {
    const found = plan([a, b], both);
    equal(holder(found, "db.company.test"), null);
    equal(holder(found, "db.eu.company.test"), "b.example");
    deepEqual(found.warnings.map(({ code, message }) => `${code} ${message}`).slice(0, 2), [
      'zone-conflict Cluster "a.example" does not get the names below "company.test": "b.example" has the same right to it',
      'zone-conflict Cluster "b.example" does not get the names below "company.test": "a.example" has the same right to it',
    ]);
  });
  await t.step("until the user decides", () => {
    const found = plan([a, b], { ...both, words: [word("company.test", "allow", "b.example")] });
    equal(holder(found, "db.company.test"), "b.example");
    equal(stands(found, "company.test", "a.example"), "refused");
    const denied = plan([a, b], { ...both, words: [word("company.test", "deny", "b.example")] });
    equal(holder(denied, "db.company.test"), "a.example");
  });
  await t.step("a decision counts for more than a record, the user's for more than root's", () => {
    const admin = [{ suffix: zone("company.test"), proxy: "a.example" }];
    equal(holder(plan([a, b], { ...both, admin }), "db.company.test"), "a.example");
    const words = [word("company.test", "allow", "b.example")];
    equal(holder(plan([a, b], { ...both, admin, words }), "db.company.test"), "b.example");
  });
  await t.step("both allowed is no decision", () => {
    const words = [
      word("company.test", "allow", "a.example"),
      word("company.test", "allow", "b.example"),
    ];
    equal(holder(plan([a, b], { words }), "db.company.test"), null);
  });
});

Deno.test("grantOf() says in which zone a name is given, and by what", () => {
  const one = login("teleport.one.example", { zones: ["company.test"], apps: ["db.company.test"] });
  const found = plan([one], txt("company.test", "teleport.one.example"));
  const grant = grantOf(found, zone("db.company.test"));
  deepEqual([grant?.suffix, grant?.by, grant?.sinceMs], ["company.test", "txt", 5]);
  equal(grantOf(found, zone("web.teleport.one.example"))?.by, "own");
  equal(grantOf(found, zone("company.test")), null);
});

Deno.test("withWord() keeps one decision of each kind", async (t) => {
  const allow = (profile: string | null) => word("x.test", "allow", profile);
  const cases: [
    what: string,
    before: ZoneWord[],
    add: Parameters<typeof withWord>[1],
    left: ZoneWord[],
  ][] = [
    ["the last word counts", [allow("a")], word("x.test", "deny", "a"), [
      word("x.test", "deny", "a"),
    ]],
    ["one cluster's ends another's", [allow("a")], allow("b"), [allow("b")]],
    ["a no for one leaves the others", [allow("a")], word("x.test", "deny", "b"), [
      allow("a"),
      word("x.test", "deny", "b"),
    ]],
    [
      "a no for all ends everything",
      [allow("a"), word("x.test", "deny", "b")],
      word("x.test", "deny"),
      [
        word("x.test", "deny"),
      ],
    ],
    ["another zone is another matter", [word("y.test", "deny")], allow("a"), [
      word("y.test", "deny"),
      allow("a"),
    ]],
    ["forgotten", [allow("a")], { ...allow(null), verdict: "forget" }, []],
  ];
  for (const [what, before, add, left] of cases) {
    await t.step(what, () => deepEqual(withWord(before, add), left));
  }
});

const ROOT = "teleport.corp.example";

Deno.test("attack: a leaf calls its proxies and zones as the root's names are", () => {
  const root = login(ROOT, { apps: [`db.${ROOT}`, `web.${ROOT}`] });
  const hostile = withLeaf(root, "leaf.example", {
    proxyHosts: [`db.${ROOT}`, ROOT, "proxy.leaf.example"],
    zones: [`web.${ROOT}`, ROOT, `new.${ROOT}`],
    apps: [`web.${ROOT}`, `x.new.${ROOT}`, `other.${ROOT}`],
  });
  const words = [word(`new.${ROOT}`, "allow", ROOT)];
  for (const known of [{}, { words }, txt(`new.${ROOT}`, "leaf.example", ROOT)]) {
    const found = plan([hostile], known);
    for (const name of [`db.${ROOT}`, `web.${ROOT}`]) {
      const target = found.targets.get(zone(name));
      equal(target?.profile, ROOT);
      ok(found.excluded.every((excluded) => excluded !== zone(name)));
    }
    deepEqual([...found.targets.keys()].sort(), [zone(`db.${ROOT}`), zone(`web.${ROOT}`)]);
    for (const suffix of [`db.${ROOT}`, `web.${ROOT}`, ROOT, `new.${ROOT}`]) {
      equal(leafStands(found, suffix, "leaf.example"), "refused", suffix);
    }
  }
});

Deno.test("judgeZones() gives a leaf its zones, its proxy's too, by a record or the user's word", async (t) => {
  const leafAt = (name: string, proxyHost = ROOT, cluster = proxyHost) =>
    withLeaf(login(proxyHost, { proxyHost, cluster }), name, {
      proxyHosts: ["proxy.company.test"],
      zones: ["company.test"],
      apps: ["db.company.test"],
    });
  const leaf = "leaf.example";
  const rows: [
    what: string,
    source: PlanSource,
    known: Partial<ZoneKnowledge>,
    want: string,
  ][] = [
    ["nobody said anything", leafAt(leaf), {}, "pending"],
    ["a record names the leaf alone", leafAt(leaf), txt("company.test", leaf), "pending"],
    ["a record names the root alone", leafAt(leaf), txt("company.test", ROOT), "pending"],
    ["it names the leaf and the root", leafAt(leaf), txt("company.test", leaf, ROOT), "served txt"],
    [
      "it names the leaf and another root",
      leafAt(leaf),
      txt("company.test", leaf, "other.example"),
      "pending",
    ],
    [
      "the root says it is called as its proxy does not show",
      leafAt(leaf, "evil.example", "victim.example"),
      txt("company.test", leaf, "victim.example"),
      "pending",
    ],
    [
      "the leaf's name lies below the root's",
      leafAt("eu.corp.example", ROOT, "corp.example"),
      txt("company.test", "eu.corp.example"),
      "served txt",
    ],
    [
      "the leaf's name lies below what the root only says it is called",
      leafAt("eu.victim.example", "evil.example", "victim.example"),
      txt("company.test", "eu.victim.example"),
      "pending",
    ],
    [
      "the leaf's name lies below a suffix of everybody",
      leafAt("bob.github.io", "evil.github.io", "github.io"),
      txt("company.test", "bob.github.io"),
      "pending",
    ],
    ["a leaf without a dot is named alone", leafAt("eu"), txt("company.test", "eu"), "pending"],
    ["it is named with its root", leafAt("eu"), txt("company.test", "eu", ROOT), "served txt"],
    [
      "neither has a dot",
      leafAt("eu", ROOT, "corp"),
      txt("company.test", "eu", "corp"),
      "served txt",
    ],
    ["the user allows it", leafAt(leaf), {
      words: [word("company.test", "allow", ROOT)],
    }, "served user"],
    ["the user allows it, and then not", leafAt(leaf), {
      words: [{ ...word("company.test", "deny", ROOT), cluster: leaf }],
    }, "denied"],
  ];
  for (const [what, source, known, want] of rows) {
    await t.step(what, () => {
      const found = plan([source], known);
      const [{ name } = { name: "" }] = source.view.leaves;
      equal(leafStands(found, "company.test", name), want);
      equal(holder(found, "db.company.test"), want.startsWith("served") ? source.profile : null);
      // The zone of its proxy is one like any other
      ok(!leafStands(found, "proxy.company.test", name).endsWith("own"));
    });
  }
  await t.step("who is logged in to the leaf itself is asked there", () => {
    const own = login("teleport.leaf.example", {
      cluster: leaf,
      zones: ["company.test"],
      apps: ["db.company.test"],
    });
    const found = plan([leafAt(leaf), own], txt("company.test", leaf, ROOT));
    equal(holder(found, "db.company.test"), "teleport.leaf.example");
  });
});
