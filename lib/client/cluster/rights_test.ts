import { deepEqual, equal, rejects } from "node:assert/strict";
import { memoryTarget } from "../../../tests/doubles/memory_cluster.ts";
import { AuthError, NetworkError } from "../../error.ts";
import type { Right } from "./driver.ts";
import { Rights } from "./rights.ts";

const LIFE_MS = 100_000;
const TARGET = memoryTarget();

/** A cluster whose answers the test gives, one by one; chance that is always in the middle. */
function start() {
  const clock = { nowMs: 0 };
  const asked: PromiseWithResolvers<Right>[] = [];
  let heard = Promise.withResolvers<void>();
  const ask = () => {
    const answer = Promise.withResolvers<Right>();
    asked.push(answer);
    heard.resolve();
    return answer.promise;
  };
  /** Settles with the next question. */
  const renewing = () => {
    heard = Promise.withResolvers();
    return heard.promise;
  };
  const rights = new Rights({
    issue: ask,
    confirm: ask,
    nowMs: () => clock.nowMs,
    random: () => 0.5,
  });
  const answer = (lifeMs = LIFE_MS) => {
    const right = { expiresMs: clock.nowMs + lifeMs };
    asked.at(-1)?.resolve(right);
    return right;
  };
  return { rights, clock, asked, answer, renewing, [Symbol.dispose]: () => rights.clear() };
}

/** Whatever was settled has been heard of. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** The first right, at 0. */
async function first(world: ReturnType<typeof start>): Promise<Right> {
  const getting = world.rights.get(TARGET, 1);
  const right = world.answer();
  equal(await getting, right);
  return right;
}

Deno.test("Rights renews ahead of the end, once, and nobody waits for it", async () => {
  using world = start();
  const { rights, clock, asked, answer } = world;
  const old = await first(world);
  clock.nowMs = 69_999;
  equal(await rights.get(TARGET, 1), old);
  equal(asked.length, 1);
  clock.nowMs = 70_000; // 30 % of its life is left
  equal(await rights.get(TARGET, 1), old);
  equal(await rights.get(TARGET, 2), old);
  equal(asked.length, 2);
  const renewed = answer();
  await turn();
  equal(await rights.get(TARGET, 1), renewed);
  equal(asked.length, 2);
});

Deno.test("Rights waits for a right where none is good", async () => {
  using world = start();
  const { rights, clock, asked, answer } = world;
  await first(world);
  clock.nowMs = 95_000; // it could end on the way
  const both = Promise.all([rights.get(TARGET, 1), rights.get(TARGET, 2)]);
  equal(asked.length, 2);
  const renewed = answer();
  deepEqual(await both, [renewed, renewed]);
});

Deno.test("Rights tries a renewal again until the end", async () => {
  using world = start();
  const { rights, clock, asked, answer } = world;
  const old = await first(world);
  clock.nowMs = 70_000;
  await rights.get(TARGET, 1);
  for (const [at, tries] of [[71_500, 3], [72_000, 3], [74_500, 4]] as const) {
    asked.at(-1)?.reject(new NetworkError("proxy-unreachable", "nobody there"));
    await turn();
    clock.nowMs = at;
    equal(await rights.get(TARGET, 1), old);
    equal(asked.length, tries, `at ${at}`);
  }
  asked.at(-1)?.reject(new AuthError("rate-limited", "not so fast"));
  await turn();
  clock.nowMs = 94_999;
  equal(await rights.get(TARGET, 1), old);
  equal(asked.length, 5);
  const renewed = answer();
  await turn();
  equal(await rights.get(TARGET, 1), renewed);
});

Deno.test("Rights forgets a right that the cluster would not give again", async () => {
  using world = start();
  const { rights, clock, asked } = world;
  await first(world);
  clock.nowMs = 70_000;
  await rights.get(TARGET, 1);
  asked.at(-1)?.reject(new AuthError("app-unknown", "not any more"));
  await turn();
  const next = rights.get(TARGET, 1);
  asked.at(-1)?.reject(new AuthError("app-unknown", "not any more"));
  await rejects(next, { code: "app-unknown" });
  equal(asked.length, 3);
});

Deno.test("Rights renews by itself what was used, and lets go of what was not", async () => {
  const { rights, clock, asked, answer, renewing } = start();
  const getting = rights.get(TARGET, 1);
  answer(10);
  await getting;
  const second = renewing();
  clock.nowMs = 7;
  await second; // the alarm rang, nobody asked for it
  equal(asked.length, 2);
  answer(10);
  await turn();
  // It was never used, so no timer runs for it: the sanitizer would tell.
});

Deno.test("Rights counts a right as used by whoever waited for it", async (t) => {
  await t.step("where none was good any more", async () => {
    using world = start();
    const { rights, clock, asked, answer, renewing } = world;
    const before = rights.get(TARGET, 1);
    answer(1_000);
    await before;
    clock.nowMs = 960;
    const getting = rights.get(TARGET, 1);
    answer(50);
    await getting;
    const third = renewing();
    clock.nowMs += 35;
    await third;
    equal(asked.length, 3);
  });
  await t.step("while it was renewed ahead of its end", async () => {
    using world = start();
    const { rights, clock, asked, answer, renewing } = world;
    const before = rights.get(TARGET, 1);
    answer(10);
    await before;
    const second = renewing();
    clock.nowMs = 7;
    await second;
    clock.nowMs = 9.8; // too late to begin with the first
    const getting = rights.get(TARGET, 1);
    equal(asked.length, 2);
    const renewed = answer(10);
    equal(await getting, renewed);
    const third = renewing();
    clock.nowMs += 7;
    await third;
    equal(asked.length, 3);
  });
});

Deno.test("Rights does not renew over and over what ends with the login", async () => {
  using world = start();
  const { rights, clock, asked, answer } = world;
  await first(world);
  clock.nowMs = 70_000;
  await rights.get(TARGET, 1);
  const last = answer(LIFE_MS - 70_000); // it ends when the first would have
  await turn();
  for (const at of [80_000, 90_000, 98_000]) {
    clock.nowMs = at;
    equal(await rights.get(TARGET, 1), last);
  }
  equal(asked.length, 2);
});

Deno.test("Rights asks a person when one is needed, never ahead of it", async () => {
  using world = start();
  const { rights, clock, asked, answer } = world;
  const getting = rights.get(TARGET, 1);
  asked.at(-1)?.reject(new AuthError("mfa-required", "a code, please"));
  await turn();
  equal(asked.length, 2);
  const confirmed = answer();
  equal(await getting, confirmed);
  clock.nowMs = 94_999;
  equal(await rights.get(TARGET, 1), confirmed);
  equal(asked.length, 2);
});
