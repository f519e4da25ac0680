import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { CHECKS } from "./catalogue.ts";
import { examine, isKnownPattern, summarize } from "./examine.ts";
import type { Facts } from "./facts.ts";
import { DOWN, HEALTHY, known, PROXY, unknown, withStatus } from "../../tests/doubles/healthy.ts";

const ALL = { only: [], skip: [] };

Deno.test("CHECKS: every check has its own id, and its causes come before it", () => {
  const seen = new Set<string>();
  for (const { id, dependsOn } of CHECKS) {
    ok(!seen.has(id), `${id} is there twice`);
    for (const cause of dependsOn) ok(seen.has(cause), `${cause} does not come before ${id}`);
    ok(/^[a-z]+\.[a-z0-9]+$/.test(id), id);
    seen.add(id);
  }
});

Deno.test("CHECKS: every check has a section in docs/doctor.md", async () => {
  const docs = await Deno.readTextFile(new URL("../../docs/doctor.md", import.meta.url));
  const sections = [...docs.matchAll(/^### `([a-z]+\.[a-z0-9]+)/gm)].map(([, id]) => id);
  deepEqual(sections.toSorted(), CHECKS.map(({ id }) => id).toSorted());
});

Deno.test("examine() finds nothing wrong on a healthy machine", () => {
  const findings = examine(HEALTHY, ALL);
  deepEqual(findings.filter(({ status }) => status !== "ok"), []);
  deepEqual(summarize(findings), { ok: findings.length, warn: 0, fail: 0, skip: 0 });
});

Deno.test("examine() has only a warning for a vnet that is down", () => {
  const findings = examine(DOWN, ALL);
  deepEqual(findings.filter(({ status }) => status === "fail"), []);
  deepEqual(findings.filter(({ status }) => status === "warn").map(({ id }) => id), [
    "daemon.alive",
  ]);
});

Deno.test("examine() folds what follows from one cause under the first cause", async (t) => {
  const noProfile: Facts = { ...DOWN, profiles: known([]), proxies: known([]) };
  const cases: [name: string, facts: Facts, id: string, blockedBy: string | null][] = [
    ["directly", DOWN, "tun.link", "daemon.alive"],
    ["through what is blocked itself", DOWN, "dns.zone", "daemon.alive"],
    ["to the root", noProfile, "tun.link", "auth.profile"],
    ["not what is well", noProfile, "dns.nss", null],
    [
      "of a family, the same member's",
      {
        ...withStatus({
          sessions: [
            { profile: PROXY, state: "unreachable", error: "no way" },
            { profile: "b.test", state: "unreachable", error: "no way" },
          ],
        }),
        proxies: known([
          proxy(PROXY, true),
          proxy("b.test", false),
        ]),
      },
      `auth.session.${PROXY}`,
      null,
    ],
  ];
  for (const [name, facts, id, blockedBy] of cases) {
    await t.step(name, () => {
      const finding = examine(facts, ALL).find((finding) => finding.id === id);
      equal(finding?.blockedBy, blockedBy);
      if (blockedBy !== null) deepEqual([finding?.status, finding?.fix], ["skip", null]);
    });
  }
  await t.step("the other member's is folded", () => {
    const [, , , , [, facts]] = cases as [unknown, unknown, unknown, unknown, [string, Facts]];
    const finding = examine(facts, ALL).find(({ id }) => id === "auth.session.b.test");
    equal(finding?.blockedBy, "net.proxy.b.test");
  });
});

Deno.test("examine() shows what was chosen, and its causes", async (t) => {
  const cases: [name: string, facts: Facts, only: string[], skip: string[], want: string[]][] = [
    ["one", HEALTHY, ["dns.nss"], [], ["dns.nss"]],
    ["a folder", HEALTHY, ["tun"], [], ["tun.link", "tun.address", "tun.ipv6"]],
    ["a family", HEALTHY, ["dns.zone"], [], ["dns.zone.company.test", `dns.zone.${PROXY}`]],
    ["a member", HEALTHY, ["dns.zone.company.test"], [], ["dns.zone.company.test"]],
    ["with an asterisk", HEALTHY, ["helper.*"], [], ["helper.alive", "helper.guard"]],
    ["all but some", HEALTHY, ["tun"], ["tun.link", "tun.ipv6"], ["tun.address"]],
    ["the cause too", DOWN, ["tun.link"], [], ["daemon.alive", "tun.link"]],
    ["no part of a word", HEALTHY, ["dns.zon"], [], []],
  ];
  for (const [name, facts, only, skip, want] of cases) {
    await t.step(name, () => deepEqual(examine(facts, { only, skip }).map(({ id }) => id), want));
  }
});

Deno.test("isKnownPattern() knows checks, folders and members of families", () => {
  for (const pattern of ["dns", "dns.zone", "dns.zone.a.test", "dns.*", "name.port"]) {
    ok(isKnownPattern(pattern), pattern);
  }
  for (const pattern of ["", "dn", "dns.zon", "dns.nss.x", "zone"]) {
    ok(!isKnownPattern(pattern), pattern);
  }
});

Deno.test("examine() skips what could not be measured, and never fails for it", () => {
  const keys = (Object.keys(HEALTHY) as (keyof Facts)[])
    .filter((key) => key !== "nowMs" && key !== "program" && key !== "target");
  fc.assert(fc.property(
    fc.constantFrom(HEALTHY, DOWN),
    fc.subarray(keys),
    (facts, lost) => {
      const changed = { ...facts };
      for (const key of lost) Object.assign(changed, { [key]: unknown("no way to tell") });
      const findings = examine(changed, ALL);
      deepEqual(findings.filter(({ status }) => status === "fail"), []);
      for (const { status, summary } of findings) if (status === "skip") ok(summary !== "");
    },
  ));
});

function proxy(profile: string, isReached: boolean) {
  return {
    profile,
    addresses: { kind: "negative" as const, code: "ENOTFOUND" },
    reached: isReached
      ? { kind: "reached" as const, elapsedMs: 5, clockAheadMs: null }
      : { kind: "failed" as const, code: "proxy-unreachable", message: "Cannot reach it" },
  };
}
