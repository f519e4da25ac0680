import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { formatPrefix, overlaps, parsePrefix } from "../ip/mod.ts";
import { HELPER_PROTOCOL, HelperRequestSchema } from "../wire/mod.ts";
import { allowsPort, compilePlan, renderPorts } from "./plan.ts";
import { MAX_WARNINGS } from "./warnings.ts";
import { NOTHING_SAID, type ZoneKnowledge } from "./knowledge.ts";
import {
  type AppView,
  clustersOf,
  type ClusterView,
  type PlanSource,
  type PublishedCluster,
} from "./view.ts";
import { tryParseName } from "./zones.ts";
import { isPublicSuffix, MAX_ZONES } from "../config/mod.ts";

interface Published {
  readonly proxyHosts?: readonly string[];
  readonly range?: string;
  readonly zones?: readonly { readonly suffix: string; readonly isPrivate?: boolean }[];
  readonly leaves?: readonly PublishedCluster[];
}

function published(name: string, rest: Published = {}): PublishedCluster {
  return {
    name,
    proxyHosts: rest.proxyHosts ?? [name],
    range: rest.range ?? "100.64.0.0/10",
    zones: (rest.zones ?? []).map(({ suffix, isPrivate = false }) => ({ suffix, isPrivate })),
  };
}

function view(name: string, rest: Published = {}, apps: readonly AppView[] = []): ClusterView {
  return { root: published(name, rest), leaves: rest.leaves ?? [], apps };
}

function app(name: string, addresses: readonly string[], rest: Partial<AppView> = {}): AppView {
  return {
    kind: "tcp",
    name,
    cluster: "prod.example.com",
    id: name.padEnd(16, "0").slice(0, 16).replace(/[^0-9a-f]/g, "0"),
    publicAddrs: addresses,
    description: null,
    labels: {},
    ports: null,
    ...rest,
  };
}

interface SourceOptions {
  readonly profile?: string;
  readonly proxyHost?: string;
  readonly config?: ClusterView;
  readonly apps?: readonly AppView[];
}

function source(rest: SourceOptions = {}): PlanSource {
  const profile = rest.profile ?? "prod.example.com";
  const known = rest.config ?? view("prod.example.com");
  return {
    profile,
    proxyHost: rest.proxyHost ?? "prod.example.com",
    view: { ...known, apps: rest.apps ?? known.apps },
  };
}

/** The user said yes to everything that these logins' clusters ask for. */
function allowing(...sources: readonly PlanSource[]): { range: null; zones: ZoneKnowledge } {
  const words = sources.flatMap(({ profile, view }) =>
    clustersOf(view).flatMap(({ name, zones, proxyHosts }) =>
      [...zones.map(({ suffix }) => suffix), ...proxyHosts].flatMap((text) => {
        const suffix = tryParseName(text);
        if (suffix === null) return [];
        return [{ suffix, profile, cluster: name, verdict: "allow" as const, sinceMs: 0 }];
      })
    )
  );
  return { range: null, zones: { ...NOTHING_SAID, words } };
}

Deno.test("compilePlan() puts ranges where they were placed, once merged", () => {
  const places = new Map([["100.64.0.0/10", parsePrefix("172.16.0.0/16")]]);
  const word = { profile: "third.example.com", range: "10.7.0.0/16", isTaken: true };
  const consent = { words: [word], granted: null };
  const second = view("second.example.com", {
    range: "100.100.0.0/16",
  });
  const third = view("third.example.com", {
    range: "10.7.0.0/16",
  });
  const plan = compilePlan([
    source({ apps: [app("db", ["db.prod.example.com"])] }),
    source({
      profile: "second.example.com",
      proxyHost: "second.example.com",
      config: second,
      apps: [app("web", ["web.second.example.com"], { cluster: "second.example.com" })],
    }),
    source({ profile: "third.example.com", proxyHost: "third.example.com", config: third }),
  ], { range: null, places, consent });
  deepEqual(plan.ranges.map(formatPrefix), ["172.16.0.0/16", "10.7.0.0/16"]);
  for (const { range } of plan.targets.values()) equal(range, plan.ranges[0]);
  equal(plan.targets.size, 2);
});

Deno.test("compilePlan() lets clusters beyond the sixteenth range share the first", () => {
  const sources = Array.from({ length: 18 }, (_, n) => {
    const name = `c${String(n).padStart(2, "0")}.example.com`;
    const range = `100.${64 + n}.0.0/16`;
    return source({
      profile: name,
      proxyHost: name,
      config: view(name, { range }),
      apps: [app("db", [`db.${name}`], { cluster: name })],
    });
  });
  const plan = compilePlan(sources, { range: null });
  equal(plan.ranges.length, 16);
  equal(plan.warnings.filter(({ code }) => code === "range-limit").length, 2);
  equal([...plan.targets.values()].filter(({ range }) => range === plan.ranges[0]).length, 3);
});

Deno.test("compilePlan() takes names inside zones and says why it refuses the others", async (t) => {
  const withZone = view("prod.example.com", {
    zones: [{ suffix: "company.test" }],
  });
  const cases: [address: string, taken: boolean, code: string | null][] = [
    ["db.prod.example.com", true, null],
    ["DB.Prod.Example.com.", true, null], // case and trailing dot do not matter
    ["a.b.c.company.test", true, null], // any depth
    ["xcompany.test", false, "name-outside-zones"], // whole labels only
    ["company.test", false, "name-outside-zones"], // the apex is not inside
    ["prod.example.com", false, "name-taken"], // the proxy keeps its own name
    ["db.other.example", false, "name-outside-zones"],
    ["not a name", false, "name-invalid"],
  ];
  for (const [address, taken, code] of cases) {
    await t.step(address, () => {
      const one = source({ config: withZone, apps: [app("db", [address])] });
      const plan = compilePlan([one], allowing(one));
      equal(plan.targets.size, taken ? 1 : 0);
      equal(plan.warnings[0]?.code ?? null, code);
    });
  }
});

Deno.test("compilePlan() claims proxies and custom zones, and nothing that is everybody's", async (t) => {
  const cases: [suffix: string, claimed: boolean][] = [
    ["company.test", true],
    ["deep.er.company.test", true],
    ["com", false],
    ["co.uk", false],
    ["local", false],
    ["printer.local", false],
    ["100.in-addr.arpa", false],
    ["-bad-.test", false],
  ];
  for (const [suffix, claimed] of cases) {
    await t.step(suffix, () => {
      const config = view("prod.example.com", {
        zones: [{ suffix }],
      });
      const plan = compilePlan([source({ config })], allowing(source({ config })));
      equal((plan.zones as readonly string[]).includes(suffix), claimed);
      equal(plan.warnings.length, claimed ? 0 : 1);
    });
  }
});

Deno.test("compilePlan() has zones private when all who claim them say so", () => {
  const claiming = (profile: string, zones: { suffix: string; isPrivate?: boolean }[]) =>
    source({
      profile,
      proxyHost: profile,
      config: view(profile, {
        zones: zones,
      }),
    });
  const one = claiming("one.example.com", [
    { suffix: "a.test.example", isPrivate: true },
    { suffix: "b.test.example", isPrivate: true },
    { suffix: "c.test.example", isPrivate: false },
    { suffix: "one.example.com", isPrivate: true }, // a proxy's own is public
    { suffix: "b.test.example", isPrivate: false },
    { suffix: "in.one.example.com", isPrivate: true },
  ]);
  const plan = compilePlan([one], allowing(one));
  deepEqual([...plan.privateZones], ["a.test.example", "in.one.example.com"]);
  deepEqual(plan.zones, [
    "a.test.example",
    "b.test.example",
    "c.test.example",
    "in.one.example.com",
    "one.example.com",
  ]);
});

Deno.test("compilePlan() claims no zone for a proxy known by its address", () => {
  const config = view("prod", { proxyHosts: ["192.0.2.1"] });
  const plan = compilePlan([source({ proxyHost: "192.0.2.1", config })], { range: null });
  deepEqual([plan.zones, plan.excluded, plan.warnings], [[], [], []]);
});

Deno.test("compilePlan() lets nobody take a name by saying another's app id", () => {
  const owner = source({
    profile: "b.example.com",
    proxyHost: "b.example.com",
    config: view("b.example.com"),
    apps: [app("aaaa", ["db.b.example.com"], { cluster: "b.example.com" })],
  });
  const thief = source({
    profile: "a.example.com",
    proxyHost: "a.example.com",
    config: view("b.example.com", { zones: [{ suffix: "b.example.com" }] }),
    apps: [app("aaaa", ["db.b.example.com"], { cluster: "b.example.com" })],
  });
  for (const order of [[owner, thief], [thief, owner]]) {
    const plan = compilePlan(order, allowing(owner, thief));
    equal([...plan.targets.values()][0]?.profile, "b.example.com");
  }
});

Deno.test("compilePlan() has a bound on what it warns of", () => {
  const apps = Array.from({ length: 5000 }, (_, n) => app(`n${n}`, [`n${n}.elsewhere.test`]));
  const { warnings } = compilePlan([source({ apps })], { range: null });
  equal(warnings.length, MAX_WARNINGS + 1);
  equal(warnings.at(-1)?.message, "And 4900 more like it");
});

Deno.test("compilePlan() ranges never overlap, whatever clusters say", () => {
  const range = fc.tuple(fc.integer({ min: 64, max: 127 }), fc.integer({ min: 10, max: 27 })).map(
    ([octet, length]) => formatPrefix(maskedPrefix(`100.${octet}.0.0`, length)),
  );
  fc.assert(fc.property(fc.array(range, { minLength: 1, maxLength: 6 }), (ranges) => {
    const sources = ranges.map((range, index) =>
      source({
        profile: `p${index}`,
        proxyHost: `p${index}.example.com`,
        config: view(`p${index}.example.com`, {
          range,
        }),
      })
    );
    const plan = compilePlan(sources, { range: null });
    for (const [index, one] of plan.ranges.entries()) {
      for (const other of plan.ranges.slice(index + 1)) equal(overlaps(one, other), false);
    }
  }));
});

Deno.test("compilePlan() falls back to the default range when a cluster's is no use", async (t) => {
  for (const text of ["nonsense", "10.0.0.0/30", "10.0.0.1/24", "fd00::/64", "8.8.8.0/24"]) {
    await t.step(text, () => {
      const config = view("prod.example.com", {
        range: text,
      });
      const plan = compilePlan([source({ config })], { range: null });
      deepEqual(plan.ranges.map(formatPrefix), ["100.64.0.0/10"]);
      equal(plan.warnings[0]?.code, "range-invalid");
    });
  }
});

Deno.test("compilePlan() takes the user's range over everything", () => {
  const plan = compilePlan([source()], { range: parsePrefix("10.99.0.0/16") });
  deepEqual(plan.ranges.map(formatPrefix), ["10.99.0.0/16"]);
});

Deno.test("allowsPort() and renderPorts() know ranges with both ends", () => {
  const plan = compilePlan([
    source({
      apps: [
        app("multi", ["m.prod.example.com"], {
          ports: [{ first: 5432, last: 5432 }, { first: 8000, last: 8010 }],
        }),
        app("any", ["any.prod.example.com"]),
      ],
    }),
  ], { range: null });
  const [any, multi] = [...plan.targets.values()];
  if (any === undefined || multi === undefined) throw new Error("both apps are planned");
  const allowed = [5431, 5432, 7999, 8000, 8005, 8010, 8011].map((port) => allowsPort(multi, port));
  deepEqual(allowed, [false, true, false, true, true, true, false]);
  equal(allowsPort(any, 1), true);
  deepEqual(renderPorts(multi.ports ?? []), ["5432", "8000-8010"]);
});

Deno.test("compilePlan() has every name of an app for the Host guard, unless a label switches it off", async (t) => {
  const both = ["WEB.prod.example.com", "web.elsewhere.test"];
  const cases: [labels: Record<string, string>, want: readonly string[] | null][] = [
    [{}, ["web.elsewhere.test", "web.prod.example.com"]],
    [{ "vnet/host-guard": "off" }, null],
    [{ "vnet/host-guard": "on" }, ["web.elsewhere.test", "web.prod.example.com"]],
    [{ "vnet/host-guard": "OFF" }, ["web.elsewhere.test", "web.prod.example.com"]],
  ];
  for (const [labels, want] of cases) {
    await t.step(JSON.stringify(labels), () => {
      const plan = compilePlan([source({ apps: [app("web", both, { labels })] })], { range: null });
      deepEqual([...plan.targets.values()].map(({ httpHosts }) => httpHosts), [want]);
    });
  }
});

Deno.test("isPublicSuffix() counts single labels as everybody's", () => {
  const names = ["com", "co.uk", "single", "example.com", "db.example.co.uk"];
  deepEqual(names.map(isPublicSuffix), [true, true, true, false, false]);
});

function maskedPrefix(text: string, length: number) {
  const value = text.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const masked = Math.floor(value / 2 ** (32 - length)) * 2 ** (32 - length);
  const octets = [24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256);
  return parsePrefix(`${octets.join(".")}/${length}`);
}

function withZones(name: string, count: number, rest: Published = {}): PlanSource {
  const zones = Array.from({ length: count }, (_, n) => ({ suffix: `z${n}.${name}.test` }));
  const config = view(name, {
    zones: zones,
    ...rest,
  });
  return source({ profile: name, proxyHost: name, config });
}

Deno.test("compilePlan() claims no more zones than fit, each login's in turn, and says whose it leaves out", () => {
  const leafs = Array.from({ length: 4 }, (_, n) => {
    return withZones(`leaf${n}.example.com`, 200).view.root;
  });
  const sources = [
    withZones("a.example.com", 200, { leaves: leafs }),
    withZones("b.example.com", 256),
    withZones("small.example.com", 3),
  ];
  const plan = compilePlan(sources, allowing(...sources));
  equal(plan.zones.length, MAX_ZONES);
  const claimed = (end: string) => plan.zones.filter((zone) => zone.endsWith(end)).length;
  equal(claimed("small.example.com.test") + claimed("small.example.com"), 4);
  // One login is as good as another; its own clusters share what it has.
  deepEqual([claimed("b.example.com.test"), claimed("a.example.com.test")], [87, 17]);
  const left = plan.warnings.filter(({ code }) => code === "zone-limit");
  deepEqual(left.map(({ message }) => message.split('"')[1]), [
    "a.example.com",
    "b.example.com",
    "leaf0.example.com",
    "leaf1.example.com",
    "leaf2.example.com",
    "leaf3.example.com",
  ]);
  equal(
    left[1]?.message,
    'Cluster "b.example.com" claims more zones than fit: "z87.b.example.com.test", ' +
      '"z88.b.example.com.test", "z89.b.example.com.test" and 166 more are left out, ' +
      "as this machine takes 180",
  );
});

Deno.test("the zones of any plan pass to the helper, in one message", () => {
  const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,63}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
  fc.assert(fc.property(fc.array(name, { maxLength: 20 }), (suffixes) => {
    const config = view("prod.example.com", {
      zones: suffixes.map((suffix) => ({ suffix })),
    });
    const { zones } = compilePlan([source({ config })], allowing(source({ config })));
    const parsed = HelperRequestSchema.safeParse(applyRequest(zones));
    equal(parsed.success, true, JSON.stringify(parsed.error?.issues));
  }));
  const longest = Array.from(
    { length: MAX_ZONES },
    () => `${"a".repeat(63)}.`.repeat(4).slice(0, 253),
  );
  const request = applyRequest(longest);
  equal(HelperRequestSchema.safeParse(request).success, true);
  ok(JSON.stringify(request).length <= MESSAGE_BYTES);
});

/** What one message of the helper's socket holds; lib/os has it as `MESSAGE_LIMIT_BYTES`. */
const MESSAGE_BYTES = 128 * 1024;

function applyRequest(zones: readonly string[]): unknown {
  return {
    v: HELPER_PROTOCOL,
    id: 0xffff_ffff,
    op: "apply",
    routes: Array.from({ length: 32 }, () => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"),
    dns: { mode: "resolved", server: { address: "127.0.53.254", port: 65_535 }, zones },
  };
}
