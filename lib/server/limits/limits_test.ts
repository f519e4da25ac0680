import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { sourceOf } from "../../ip/mod.ts";
import { GrowingDelay } from "./growing_delay.ts";
import { Handshakes } from "./handshakes.ts";
import { Standing } from "./standing.ts";
import { Tally } from "./tally.ts";
import { SourceBuckets, TokenBuckets } from "./token_buckets.ts";

Deno.test("TokenBuckets allow a burst, then their rate, and never more", () => {
  fc.assert(fc.property(fc.array(fc.nat(3000), { maxLength: 60 }), (gapsMs) => {
    const buckets = new TokenBuckets({ burst: 5, perSecond: 2 });
    let nowMs = 0;
    let allowed = 0;
    for (const gapMs of gapsMs) {
      nowMs += gapMs;
      if (buckets.take("key", nowMs) === 0) allowed++;
    }
    equal(allowed <= 5 + 2 * nowMs / 1000, true);
    equal(allowed >= Math.min(gapsMs.length, 5), true);
  }));
});

Deno.test("TokenBuckets refuse one key and not another, and forget the quietest when they are full", () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 1 });
  equal(buckets.take("a", 0), 0);
  equal(buckets.take("a", 0), 1000);
  equal(buckets.take("b", 0), 0);
  for (let i = 0; i < 10_000; i++) buckets.take(`other ${i}`, 0);
  equal(buckets.take("a", 0), 0);
});

Deno.test("SourceBuckets give a site two hosts' worth, and a network eight", async (t) => {
  const cases: [name: string, address: (i: number) => string, want: number][] = [
    ["one address", () => "192.0.2.1", 10],
    ["a /24", (i) => `192.0.2.${i % 250}`, 80],
    ["a /64", (i) => `2001:db8::${i.toString(16)}`, 10],
    ["a /56", (i) => `2001:db8:0:${(i % 256).toString(16)}::1`, 20],
    ["a /48", (i) => `2001:db8:0:${(i * 16 % 65536).toString(16)}::1`, 80],
  ];
  for (const [name, address, want] of cases) {
    await t.step(name, () => {
      const buckets = new SourceBuckets({ burst: 10, perSecond: 1 });
      const waits = Array.from({ length: 1000 }, (_, i) => buckets.take(sourceOf(address(i)), 0));
      equal(waits.filter((wait) => wait === 0).length, want);
    });
  }
});

Deno.test("GrowingDelay doubles up to its end, and forgets", () => {
  const rule = { free: 2, firstMs: 100, maxMs: 1000, forgetMs: 10_000, maxKeys: 2 };
  const delay = new GrowingDelay(rule);
  let nowMs = 0;
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    nowMs += delay.waitMs("a", nowMs);
    delay.begin("a")("failed", nowMs);
    waits.push(delay.waitMs("a", nowMs));
  }
  deepEqual(waits, [0, 100, 200, 400, 800, 1000, 1000, 1000]);
  equal(delay.waitMs("b", nowMs), 0);
  equal(delay.failures("a", nowMs + 9999), 8);
  equal(delay.waitMs("a", nowMs + 10_000), 0);
});

Deno.test("GrowingDelay keeps as many keys as it may, whoever tries", () => {
  const delay = new GrowingDelay({ free: 0, firstMs: 100, maxMs: 100, forgetMs: 1000, maxKeys: 3 });
  for (const key of ["a", "b", "a", "c", "d"]) delay.begin(key)("failed", 0);
  deepEqual(["a", "b", "c", "d"].map((key) => delay.failures(key, 0)), [2, 0, 1, 1]);
});

Deno.test("Handshakes: a host has its own share whatever a crowd takes, the trusted theirs beside it", () => {
  const handshakes = new Handshakes();
  let taken = 0;
  for (let i = 0; i < 5000; i++) {
    if (handshakes.take(sourceOf(`10.${i % 100}.0.1`), false, 0)) taken++;
  }
  equal(taken, 100 * 4 + 400);
  equal(handshakes.take(sourceOf("192.0.2.1"), false, 0), true);
  for (let i = 0; i < 100; i++) equal(handshakes.take(sourceOf("10.1.0.1"), true, 0), true);
});

Deno.test("Standing keeps nothing of sources that were never good", () => {
  const standing = new Standing(["a"]);
  for (let i = 0; i < 100; i++) standing.bad("b", 0);
  standing.good("b");
  deepEqual(["a", "b", "c"].map((host) => standing.isGood(host, 0)), [true, true, false]);
  for (let i = 0; i < 10_000; i++) standing.good(`${i}`);
  equal(standing.isGood("a", 0), false);
});

Deno.test("Tally tells what was counted, once, and is bounded", () => {
  const tally = new Tally();
  deepEqual([tally.add("b"), tally.add("a"), tally.add("b")], [true, true, false]);
  deepEqual(tally.drain(), { a: 1, b: 2 });
  equal(tally.drain(), null);
  for (let i = 0; i < 1000; i++) tally.add(`${i}`);
  const counts = tally.drain() ?? {};
  equal(Object.keys(counts).length, 33);
  equal(counts["other"], 1000 - 32);
});
