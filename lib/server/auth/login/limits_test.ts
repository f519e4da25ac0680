import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { Changes } from "../changes.ts";
import { pause } from "../../../wait.ts";
import { PasswordHasher } from "./password.ts";
import { RateLimit } from "./rate.ts";

const CHEAP = { logN: 4, r: 1, p: 1 };
const TURN = { lane: "clean", network: "192.0.2.0/24" } as const;

Deno.test("PasswordHasher.verify() knows the password it hashed, and no other", async (t) => {
  const hasher = PasswordHasher.create(CHEAP);
  const hash = await hasher.hash("correct horse battery");
  const cases: [tried: string, want: boolean][] = [
    ["correct horse battery", true],
    ["Correct horse battery", false],
    ["correct horse batter", false],
    ["", false],
  ];
  for (const [tried, want] of cases) {
    await t.step(tried, async () => equal(await hasher.verify(tried, hash, TURN), want));
  }
  equal(await hasher.verify("correct horse battery", null, TURN), false);
  equal(await hasher.hash("correct horse battery") === hash, false);
});

Deno.test("PasswordHasher takes composed and decomposed letters for the same", async () => {
  const hasher = PasswordHasher.create(CHEAP);
  const hash = await hasher.hash("p\u00e4ssword with umlaut");
  equal(await hasher.verify("pa\u0308ssword with umlaut", hash, TURN), true);
});

Deno.test("PasswordHasher reads hashes of another cost", async () => {
  const hash = await PasswordHasher.create({ logN: 5, r: 2, p: 2 }).hash("correct horse battery");
  equal(await PasswordHasher.create(CHEAP).verify("correct horse battery", hash, TURN), true);
});

Deno.test("PasswordHasher.hash() wants twelve characters", async () => {
  const hasher = PasswordHasher.create(CHEAP);
  await rejects(hasher.hash("elevenchars"), { code: "password-weak" });
  await rejects(hasher.hash("\u{1f600}".repeat(11)), { code: "password-weak" });
  await hasher.hash("twelve chars");
});

Deno.test("PasswordHasher lets a bounded number wait, and has places for the known", async () => {
  const hasher = PasswordHasher.create(CHEAP);
  const tries = Array.from(
    { length: 80 },
    (_, i) => hasher.verify("x", null, { lane: "clean", network: `${i}` }),
  );
  const known = hasher.verify("x", null, { lane: "known", network: "0" });
  const settled = await Promise.allSettled(tries);
  equal(settled.filter(({ status }) => status === "fulfilled").length, 34);
  for (const one of settled) {
    if (one.status === "rejected") equal(one.reason.code, "busy");
  }
  equal(await known, false);
});

Deno.test("RateLimit says when to try again", () => {
  const limit = new RateLimit({ burst: 1, perSecond: 1 });
  limit.take("a", 0);
  throws(() => limit.take("a", 0), { code: "rate-limited", hint: "Try again in 1 s" });
  limit.take("b", 0);
});

Deno.test("Changes.after() misses no change and wakes everybody once", async () => {
  const changes = new Changes();
  const { signal } = new AbortController();
  const since = changes.revision();
  changes.notify();
  await changes.after(since, signal); // it came before we waited
  const woken: number[] = [];
  const waits = [1, 2].map((n) =>
    changes.after(changes.revision(), signal).then(() => woken.push(n))
  );
  changes.notify();
  await Promise.all(waits);
  deepEqual(woken, [1, 2]);
  await changes.after(changes.revision(), AbortSignal.abort());
});

Deno.test("pause() ends early, and leaves no timer, when the signal fires", async () => {
  const stop = new AbortController();
  const waiting = pause(60_000, stop.signal);
  stop.abort();
  await waiting;
  await pause(60_000, stop.signal);
  await pause(0, new AbortController().signal);
});
