import { equal } from "node:assert/strict";
import { Admission } from "./admission.ts";

const LIMITS = { total: 6, unknownPerSource: 2, perSource: 3, firstBytesMs: 1000 };

Deno.test("Admission counts an IPv6 source by its /64, an IPv4 source by its address", async (t) => {
  const cases: [name: string, addresses: readonly string[], admitted: number][] = [
    ["one address", ["192.0.2.1", "192.0.2.1", "192.0.2.1"], 2],
    ["neighbours of IPv4", ["192.0.2.1", "192.0.2.2", "192.0.2.3"], 3],
    ["the hosts of a /64", ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1"], 2],
    ["neighbouring /64s", ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"], 3],
    ["IPv4 by an IPv6 listener", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1"], 2],
    ["neighbours of IPv4 by an IPv6 listener", ["::ffff:192.0.2.1", "::ffff:192.0.2.2"], 2],
  ];
  for (const [name, addresses, admitted] of cases) {
    await t.step(name, () => {
      const admission = new Admission(LIMITS);
      const places = addresses.map((address) => admission.enter(address));
      equal(places.filter((place) => place !== null).length, admitted);
      for (const place of places) place?.leave();
      equal(admission.total, 0);
    });
  }
});

Deno.test("Admission gives back what is left, once", () => {
  const admission = new Admission(LIMITS);
  const [first, second] = [admission.enter("192.0.2.1"), admission.enter("192.0.2.1")];
  first?.known();
  const third = admission.enter("192.0.2.1");
  equal(third === null, false, "two are unknown");
  second?.known();
  equal(admission.enter("192.0.2.1"), null, "three are held");
  first?.discharge();
  first?.leave();
  first?.leave();
  equal(admission.total, 2);
  const fourth = admission.enter("192.0.2.1");
  equal(fourth === null, false);
  for (const place of [second, third, fourth]) place?.leave();
  equal(admission.total, 0);
});
