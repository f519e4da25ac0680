import { deepEqual, equal } from "node:assert/strict";
import type { AppTarget, Plan } from "../../plan/mod.ts";
import { type DomainName, parseDomainName } from "../../dns/mod.ts";
import { NameTroubles } from "./name_troubles.ts";

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
  };
}

function removedOf(troubles: NameTroubles): DomainName[] {
  return [...troubles.removed.keys()];
}

Deno.test("NameTroubles.follow() remembers for a while what was removed, unless it comes back", () => {
  const troubles = new NameTroubles();
  troubles.follow(planOf("a.example.test", "b.example.test"), 0);
  deepEqual([removedOf(troubles), troubles.nextMs], [[], null]);
  troubles.follow(planOf("b.example.test"), MINUTE_MS);
  deepEqual([removedOf(troubles), troubles.nextMs], [["a.example.test"], 6 * MINUTE_MS]);
  equal(troubles.removed.get(parseDomainName("a.example.test"))?.kind, "app-removed");
  troubles.follow(planOf(), 2 * MINUTE_MS);
  deepEqual(removedOf(troubles), ["a.example.test", "b.example.test"]);
  troubles.follow(planOf("b.example.test"), 3 * MINUTE_MS);
  deepEqual(removedOf(troubles), ["a.example.test"]);
  troubles.follow(planOf("b.example.test"), 6 * MINUTE_MS);
  deepEqual([removedOf(troubles), troubles.nextMs], [[], null]);
});

Deno.test("NameTroubles.follow() has a bound on what it remembers", () => {
  const troubles = new NameTroubles();
  troubles.follow(planOf(...Array.from({ length: 2000 }, (_, i) => `a${i}.example.test`)), 0);
  troubles.follow(planOf(), 0);
  equal(troubles.removed.size, 1024);
  equal(troubles.removed.has(parseDomainName("a1999.example.test")), true);
});

Deno.test("NameTroubles.refused() counts what is about the person, and not for long", () => {
  const troubles = new NameTroubles();
  equal(troubles.refused("a", "no-agent", 0), false);
  equal(troubles.refused("a", "target-refused", 0), false);
  equal(troubles.refused("a", "access-denied", 0), true);
  equal(troubles.refused("a", "app-removed", 0), false);
  equal(troubles.refused("b", "access-locked", 4_000), true);
  equal(troubles.refused("b", "locked", 5_000), true); // of an older agent
  deepEqual([...troubles.denied].map(([app, { kind, text }]) => [app, kind, text]), [
    ["a", "access-denied", "access denied"],
    ["b", "access-denied", "access denied: a lock is in force"],
  ]);
  equal(troubles.nextMs, 10_000);
  troubles.follow(planOf(), 10_000);
  deepEqual([...troubles.denied.keys()], ["b"]);
  troubles.forgetRefusals();
  deepEqual([troubles.denied.size, troubles.nextMs], [0, null]);
});
