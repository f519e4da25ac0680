import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { Admission, DEFAULT_LIMITS, type Place } from "./admission.ts";

const LIMITS = { ...DEFAULT_LIMITS, total: 6, unproven: 6, unprovenPerHost: 2, perHost: 3 };
const nobody = () => {
  throw new Error("evicted");
};

Deno.test("Admission counts an IPv6 host by its /64, an IPv4 host by its address", async (t) => {
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
      const places = addresses.map((address) => admission.enter(address, 0, nobody));
      equal(places.filter((place) => place !== null).length, admitted);
      for (const place of places) place?.leave();
      deepEqual([admission.total, admission.hosts], [0, 0]);
    });
  }
});

Deno.test("Admission gives back what is left, once", () => {
  const admission = new Admission(LIMITS);
  const enter = (address: string) => admission.enter(address, 0, nobody);
  const [first, second] = [enter("192.0.2.1"), enter("192.0.2.1")];
  first?.prove();
  const third = enter("192.0.2.1");
  equal(third === null, false, "one is unproven");
  second?.prove();
  equal(enter("192.0.2.1"), null, "three are held");
  first?.discharge();
  first?.leave();
  first?.leave();
  equal(admission.total, 2);
  const fourth = enter("192.0.2.1");
  equal(fourth === null, false);
  for (const place of [second, third, fourth]) place?.leave();
  deepEqual([admission.total, admission.hosts], [0, 0]);
});

Deno.test("Admission: a crowd of sources makes room for one that has fewer", async (t) => {
  const limits = { ...DEFAULT_LIMITS, total: 600, unproven: 500, unprovenPerHost: 20 };
  /** Fills it from many networks, as many times as it lets anybody. */
  const flooded = (knownHosts: string[] = []) => {
    const admission = new Admission(limits, knownHosts);
    const evicted: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const address = `10.${i % 100}.0.${i % 7}`;
      admission.enter(address, 0, () => evicted.push(address));
    }
    equal(admission.total, 500);
    return { admission, evicted };
  };
  await t.step("a newcomer gets in, and stays while the crowd goes on", () => {
    const { admission, evicted } = flooded();
    let isIn = true;
    const place = admission.enter("192.0.2.1", 0, () => isIn = false);
    equal(place === null, false);
    for (let i = 0; i < 3000; i++) {
      const address = `10.${i % 100}.0.${i % 7}`;
      admission.enter(address, 0, () => evicted.push(address));
    }
    equal(isIn, true);
    equal(evicted.length > 0 && admission.total <= 500, true);
  });
  await t.step("many addresses of one network are no newcomers", () => {
    const { admission } = flooded();
    const got = Array.from({ length: 200 }, (_, i) => {
      let isIn = true;
      return { place: admission.enter(`192.0.2.${i}`, 0, () => isIn = false), isIn: () => isIn };
    }).filter(({ place, isIn }) => place !== null && isIn());
    equal(got.length <= 6, true, `${got.length} of 500 places, as 100 other networks have`);
  });
  await t.step("who proved themselves is never evicted, and does not fill the table", () => {
    const { admission } = flooded();
    const proven: Place[] = [];
    for (let i = 0; i < 100; i++) {
      const place = admission.enter(`192.0.${i}.1`, 0, nobody);
      place?.prove();
      if (place !== null) proven.push(place);
    }
    equal(proven.length, 100);
    equal(admission.total <= 600, true);
  });
  await t.step("known hosts have the places of everybody else before their own are touched", () => {
    const hosts = Array.from({ length: 400 }, (_, i) => `198.51.${i % 4}.${i >> 2}`);
    const { admission } = flooded(hosts);
    const lost: string[] = [];
    for (const host of hosts) {
      const place = admission.enter(host, 0, () => lost.push(host));
      equal(place?.isTrusted, true);
    }
    for (let i = 0; i < 3000; i++) admission.enter(`10.${i % 200}.1.1`, 0, () => {});
    deepEqual(lost, []);
  });
  await t.step("a known host that is only ever blamed loses its standing, for a while", () => {
    const admission = new Admission(limits, ["192.0.2.1"]);
    const isTrusted = (nowMs: number) => {
      const place = admission.enter("192.0.2.1", nowMs, nobody);
      place?.leave();
      return place?.isTrusted;
    };
    for (let i = 0; i < 50; i++) admission.blame("192.0.2.1", 0);
    equal(isTrusted(0), false);
    equal(isTrusted(60_000), true);
  });
});

Deno.test("Admission never holds more than its limits, and forgets who has left", () => {
  const limits = { ...LIMITS, total: 5, unproven: 3 };
  const acts = fc.array(
    fc.tuple(fc.nat(5), fc.nat(3), fc.constantFrom("enter", "prove", "leave")),
    {
      maxLength: 80,
    },
  );
  fc.assert(fc.property(acts, (acts) => {
    const admission = new Admission(limits);
    const inside = new Set<Place>();
    const unproven = new Set<Place>();
    const gone = (place: Place) => {
      inside.delete(place);
      unproven.delete(place);
    };
    for (const [network, host, act] of acts) {
      const [first] = inside;
      if (act === "enter") {
        let place: Place | null = null;
        place = admission.enter(`10.${network}.0.${host}`, 0, () => place !== null && gone(place));
        if (place === null) continue;
        inside.add(place);
        unproven.add(place);
      } else if (first !== undefined) {
        if (act === "prove") {
          first.prove();
          unproven.delete(first);
        } else {
          first.leave();
          gone(first);
        }
      }
      equal(admission.total, inside.size);
      equal(inside.size <= limits.total && unproven.size <= limits.unproven, true);
    }
    for (const place of inside) place.leave();
    deepEqual([admission.total, admission.hosts], [0, 0]);
  }));
});
