import { deepEqual, equal, match } from "node:assert/strict";
import { formatPrefix, parsePrefix } from "../ip/mod.ts";
import {
  MAX_RANGE_WORDS,
  NO_CONSENT,
  privateRanges,
  type RangeConsent,
  rangeOf,
  type RangeWord,
  withRangeWord,
} from "./cluster_range.ts";
import type { PlanSource, PublishedCluster } from "./view.ts";
import type { PlanWarning } from "./warnings.ts";

const PROFILE = "prod.test";

const cluster = (range: string, name = "prod.test"): PublishedCluster => ({
  name,
  proxyHosts: [name],
  range,
  zones: [],
});
const said = (range: string, isTaken: boolean, profile = PROFILE): RangeWord => ({
  profile,
  range,
  isTaken,
});
const consent = (words: readonly RangeWord[], granted: readonly string[] | null): RangeConsent => ({
  words,
  granted: granted && granted.map(parsePrefix),
});

Deno.test("rangeOf() gives a cluster private space by the user's word and root's, and public space never", async (t) => {
  const YES = [said("10.77.0.0/16", true)];
  const cases: [
    name: string,
    wanted: string,
    consent: RangeConsent,
    want: string,
    code: string | null,
  ][] = [
    ["the default", "100.64.0.0/10", NO_CONSENT, "100.64.0.0/10", null],
    ["a slice of it", "100.100.0.0/16", NO_CONSENT, "100.100.0.0/16", null],
    ["nobody was asked", "10.77.0.0/16", NO_CONSENT, "100.64.0.0/10", "range-unasked"],
    ["all of 10.0.0.0/8", "10.0.0.0/8", NO_CONSENT, "100.64.0.0/10", "range-unasked"],
    ["agreed, and root is not asked yet", "10.77.0.0/16", consent(YES, null), "10.77.0.0/16", null],
    [
      "agreed, and root allows it",
      "10.77.0.0/16",
      consent(YES, ["10.0.0.0/8"]),
      "10.77.0.0/16",
      null,
    ],
    [
      "agreed, and root does not",
      "10.77.0.0/16",
      consent(YES, []),
      "100.64.0.0/10",
      "range-forbidden",
    ],
    [
      "agreed, and root allows less",
      "10.77.0.0/16",
      consent(YES, ["10.77.0.0/17"]),
      "100.64.0.0/10",
      "range-forbidden",
    ],
    [
      "root allows it, and nobody agreed",
      "10.77.0.0/16",
      consent([], ["10.0.0.0/8"]),
      "100.64.0.0/10",
      "range-unasked",
    ],
    [
      "declined",
      "10.77.0.0/16",
      consent([said("10.77.0.0/16", false)], null),
      "100.64.0.0/10",
      null,
    ],
    [
      "another range was agreed to",
      "10.78.0.0/16",
      consent(YES, null),
      "100.64.0.0/10",
      "range-unasked",
    ],
    [
      "it was agreed to for another login",
      "10.77.0.0/16",
      consent([said("10.77.0.0/16", true, "other.test")], null),
      "100.64.0.0/10",
      "range-unasked",
    ],
    [
      "public",
      "8.8.8.0/24",
      consent([said("8.8.8.0/24", true)], ["8.0.0.0/8"]),
      "100.64.0.0/10",
      "range-invalid",
    ],
    [
      "everything",
      "0.0.0.0/0",
      consent([said("0.0.0.0/0", true)], ["0.0.0.0/0"]),
      "100.64.0.0/10",
      "range-invalid",
    ],
    ["IPv6", "fd00::/64", NO_CONSENT, "100.64.0.0/10", "range-invalid"],
  ];
  for (const [name, wanted, given, want, code] of cases) {
    await t.step(name, () => {
      const warnings: PlanWarning[] = [];
      const { range, isInstead } = rangeOf(cluster(wanted), PROFILE, given, warnings);
      equal(formatPrefix(range), want);
      equal(isInstead, want !== wanted);
      equal(warnings[0]?.code ?? null, code);
      if (code !== null) match(warnings[0]?.hint ?? "", /\S/);
    });
  }
});

Deno.test("privateRanges() lists what to ask about, each once a login", () => {
  const source = (profile: string, ...ranges: string[]): PlanSource => {
    const [root = "100.64.0.0/10", ...leaves] = ranges;
    const view = {
      root: cluster(root, profile),
      leaves: leaves.map((range, n) => cluster(range, `leaf${n}.${profile}`)),
      apps: [],
    };
    return { profile, proxyHost: profile, view };
  };
  const found = privateRanges([
    source("a.test", "10.0.0.0/16", "100.70.0.0/16", "10.0.0.0/16", "192.168.0.0/16", "8.8.8.0/24"),
    source("b.test", "10.0.0.0/16"),
  ], consent([said("10.0.0.0/16", true, "b.test"), said("192.168.0.0/16", false, "a.test")], []));
  deepEqual(
    found.map(({ profile, cluster, range, state }) =>
      `${profile} ${cluster} ${formatPrefix(range)} ${state}`
    ),
    [
      "a.test a.test 10.0.0.0/16 unasked",
      "a.test leaf2.a.test 192.168.0.0/16 declined",
      "b.test b.test 10.0.0.0/16 forbidden",
    ],
  );
});

Deno.test("withRangeWord() keeps the last word about each, and not more than fit", () => {
  const yes = said("10.0.0.0/16", true);
  deepEqual(withRangeWord([said("10.0.0.0/16", false), said("10.1.0.0/16", true)], yes), [
    said("10.1.0.0/16", true),
    yes,
  ]);
  const many = Array.from({ length: 300 }, (_, n) => said(`10.${n % 256}.0.0/16`, true, `p${n}`))
    .reduce<readonly RangeWord[]>(withRangeWord, []);
  equal(many.length, MAX_RANGE_WORDS);
  equal(many.at(-1)?.profile, "p299");
});
