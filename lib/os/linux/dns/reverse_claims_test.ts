import { deepEqual, equal } from "node:assert/strict";
import { parsePrefix } from "../../../ip/mod.ts";
import { claimedReverseZones } from "./reverse_claims.ts";

Deno.test("claimedReverseZones() claims what is ours alone, and not without end", async (t) => {
  const cases: [name: string, prefixes: string[], count: number, some: string[]][] = [
    ["none", [], 0, []],
    ["both families", ["100.64.0.0/16", "fd12::/64"], 2, [
      "64.100.in-addr.arpa",
      "0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa",
    ]],
    ["many, for a prefix between octets", ["100.64.0.0/10"], 64, ["64.100.in-addr.arpa"]],
    ["not where others have addresses in the zone", ["100.64.5.32/27", "10.1.0.0/16"], 1, [
      "1.10.in-addr.arpa",
    ]],
    ["each once", ["10.1.0.0/16", "10.1.0.0/16"], 1, ["1.10.in-addr.arpa"]],
    [
      "not those that are too many",
      ["10.0.0.0/9", "100.64.0.0/10", "172.0.0.0/9", "fd12::/64"],
      65,
      [
        "127.100.in-addr.arpa",
        "0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa",
      ],
    ],
    ["nobody's default route", ["0.0.0.0/0", "::/0"], 0, []],
  ];
  for (const [name, prefixes, count, some] of cases) {
    await t.step(name, () => {
      const zones = claimedReverseZones(prefixes.map(parsePrefix));
      equal(zones.length, count);
      deepEqual(some.filter((zone) => !(zones as string[]).includes(zone)), []);
    });
  }
});
