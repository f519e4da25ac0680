import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { formatPrefix, ipv4, overlaps, parseIp, parsePrefix, prefixOf } from "../ip/mod.ts";
import { formatMs } from "./duration.ts";
import type { NetworkFacts } from "./facts.ts";
import { findConflicts, findFreeRange, linkTo } from "./routing.ts";
import { HEALTHY, LINK_IFINDEX, OTHER_IFINDEX, route } from "../../tests/doubles/healthy.ts";

function network(...routes: NetworkFacts["routes"]): NetworkFacts {
  ok(HEALTHY.network.kind === "measured");
  return { ...HEALTHY.network.value, addresses: [], routes };
}

Deno.test("linkTo() follows the most specific route of the main tables", async (t) => {
  const table = network(
    route("0.0.0.0/0", OTHER_IFINDEX),
    { ...route("10.0.0.0/8", LINK_IFINDEX), metric: 100 },
    { ...route("10.0.0.0/8", OTHER_IFINDEX), metric: 50 },
    route("10.1.0.0/16", LINK_IFINDEX),
    { ...route("10.1.2.0/24", OTHER_IFINDEX), table: 52 },
    { ...route("10.9.0.0/16", 0), type: 7 },
  );
  const cases: [address: string, want: string | null][] = [
    ["192.0.2.1", "eth0"],
    ["10.2.0.1", "eth0"], // the smaller metric
    ["10.1.2.3", "vnet0"], // other tables need a rule
    ["10.9.0.1", null], // unreachable
    ["2001:db8::1", null],
  ];
  for (const [address, want] of cases) {
    await t.step(address, () => equal(linkTo(table, parseIp(address)), want));
  }
});

Deno.test("findConflicts() sees what others have in a range, and nothing else", async (t) => {
  const range = parsePrefix("100.64.0.0/10");
  const cases: [name: string, route: NetworkFacts["routes"][number], want: string | null][] = [
    ["inside", route("100.65.0.0/16", OTHER_IFINDEX), "100.65.0.0/16 steals"],
    ["the same", route("100.64.0.0/10", OTHER_IFINDEX), "100.64.0.0/10 steals"],
    ["around", route("96.0.0.0/8", OTHER_IFINDEX), null],
    ["larger", route("100.0.0.0/8", OTHER_IFINDEX), "100.0.0.0/8"],
    ["our own", route("100.64.0.0/10", LINK_IFINDEX), null],
    ["a default", route("0.0.0.0/0", OTHER_IFINDEX), null],
    ["half a default", route("0.0.0.0/1", OTHER_IFINDEX), null],
    ["multicast", { ...route("100.65.0.0/16", OTHER_IFINDEX), type: 5 }, null],
    [
      "another table",
      { ...route("100.65.0.0/16", OTHER_IFINDEX), table: 52 },
      "100.65.0.0/16 steals",
    ],
  ];
  for (const [name, one, want] of cases) {
    await t.step(name, () => {
      const found = findConflicts(network(one), [range], LINK_IFINDEX)
        .map(({ taken, steals }) => `${formatPrefix(taken)}${steals ? " steals" : ""}`);
      deepEqual(found, want === null ? [] : [want]);
    });
  }
});

Deno.test("findFreeRange() finds a range that nothing on the machine touches", () => {
  const anyRoute = fc.record({
    value: fc.integer({ min: 0, max: 0xffff_ffff }),
    length: fc.integer({ min: 8, max: 32 }),
  }).map(({ value, length }) => prefixOf(ipv4(value), length));
  fc.assert(fc.property(fc.array(anyRoute, { maxLength: 20 }), (prefixes) => {
    const range = parsePrefix("100.64.0.0/10");
    const routes = prefixes.map((prefix) => ({ ...route("0.0.0.0/0", OTHER_IFINDEX), prefix }));
    const free = findFreeRange(network(...routes), range, [], LINK_IFINDEX);
    const isTaken = prefixes.some((prefix) => overlaps(prefix, range));
    if (!isTaken) return free === null; // nothing has to move
    return free === null || !prefixes.some((prefix) => overlaps(prefix, free));
  }));
});

Deno.test("formatMs() writes the two largest units", async (t) => {
  const cases: [ms: number, want: string][] = [
    [0, "0 ms"],
    [999, "999 ms"],
    [1_000, "1 s"],
    [61_000, "1 min 1 s"],
    [3_600_000, "1 h"],
    [11_520_000, "3 h 12 min"],
    [90_061_000, "1 d 1 h"],
  ];
  for (const [ms, want] of cases) await t.step(want, () => equal(formatMs(ms), want));
});
