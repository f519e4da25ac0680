import { deepEqual, equal } from "node:assert/strict";
import type { AppTarget, Plan } from "../../plan/mod.ts";
import { parseDomainName } from "../../dns/mod.ts";
import {
  followTroubles,
  forgetRefusals,
  nextEnd,
  NO_TROUBLES,
  noteRefusal,
  type Troubles,
} from "./troubles.ts";

const MINUTE_MS = 60_000;

function planOf(...names: string[]): Plan {
  const target = { appId: "0123456789abcdef" } as AppTarget;
  return {
    zones: [parseDomainName("example.test")],
    privateZones: new Set(),
    excluded: [],
    targets: new Map(names.map((name) => [parseDomainName(name), target])),
    ranges: [],
    warnings: [],
    standings: [],
    grants: new Map(),
    refusedNames: [],
  };
}

Deno.test("followTroubles() remembers for a while what was removed, unless it comes back", () => {
  let before: Plan | null = null;
  let troubles: Troubles = NO_TROUBLES;
  const follow = (plan: Plan, nowMs: number) => {
    troubles = followTroubles(troubles, before, plan, nowMs);
    before = plan;
    return [[...troubles.removed.keys()], nextEnd(troubles)];
  };
  deepEqual(follow(planOf("a.example.test", "b.example.test"), 0), [[], null]);
  deepEqual(follow(planOf("b.example.test"), MINUTE_MS), [["a.example.test"], 6 * MINUTE_MS]);
  deepEqual(follow(planOf(), 2 * MINUTE_MS)[0], ["a.example.test", "b.example.test"]);
  deepEqual(follow(planOf("b.example.test"), 3 * MINUTE_MS)[0], ["a.example.test"]);
  deepEqual(follow(planOf("b.example.test"), 6 * MINUTE_MS), [[], null]);
});

Deno.test("followTroubles() has a bound on what it remembers", () => {
  const many = planOf(...Array.from({ length: 2000 }, (_, i) => `a${i}.example.test`));
  const { removed } = followTroubles(NO_TROUBLES, many, planOf(), 0);
  equal(removed.size, 1024);
  equal(removed.has(parseDomainName("a1999.example.test")), true);
});

Deno.test("noteRefusal() counts what is about the person, and not for long", () => {
  equal(noteRefusal(NO_TROUBLES, "a", "no-agent", 0), NO_TROUBLES);
  equal(noteRefusal(NO_TROUBLES, "a", "target-refused", 0), NO_TROUBLES);
  const one = noteRefusal(NO_TROUBLES, "a", "access-denied", 0);
  equal(noteRefusal(one, "a", "app-removed", 0), one);
  equal(noteRefusal(one, "a", "access-denied", 4_000), one); // said already
  const locked = noteRefusal(one, "b", "access-locked", 4_000);
  const both = noteRefusal(locked, "b", "locked", 5_000); // of an older agent
  deepEqual([...both.denied].map(([app, { trouble }]) => [app, trouble.kind, trouble.text]), [
    ["a", "access-denied", "access denied"],
    ["b", "access-denied", "access denied: a lock is in force"],
  ]);
  equal(nextEnd(both), 10_000);
  const later = followTroubles(both, null, planOf(), 10_000);
  deepEqual([...later.denied.keys()], ["b"]);
  const forgotten = forgetRefusals(later);
  deepEqual([forgotten.denied.size, nextEnd(forgotten)], [0, null]);
});
