import { deepEqual } from "node:assert/strict";
import { rivalWarnings } from "./resolved.ts";

Deno.test("rivalWarnings() has one line for each interface, however many zones", () => {
  const zones = Array.from({ length: 500 }, (_, n) => `z${n}.test`);
  const row = (ifindex: number, domain: string) => ({ ifindex, domain, isRouteOnly: true });
  const domains = [
    row(7, "z0.test"), // our own
    ...zones.map((zone) => row(2, zone)),
    row(3, "z4.test"),
    row(4, "other.test"),
    row(5, "z1.test"),
    row(5, "z2.test"),
  ];
  deepEqual(rivalWarnings(domains, { ifindex: 7, zones }), [
    'zones "z0.test", "z1.test", "z2.test" and 497 more are claimed by interface 2 as well: either may answer',
    'zone "z4.test" is claimed by interface 3 as well: either may answer',
    'zones "z1.test", "z2.test" are claimed by interface 5 as well: either may answer',
  ]);
});
