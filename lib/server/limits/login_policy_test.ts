import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { sourceOf } from "../../ip/mod.ts";
import { LoginPolicy } from "./login_policy.ts";

const MINUTE_MS = 60_000;

/** Tries, fails at once where it may, and says what it was told. */
function fail(policy: LoginPolicy, user: string, address: string, nowMs: number, isKnown = false) {
  const verdict = policy.begin({ user, source: sourceOf(address), isKnown }, nowMs);
  if (verdict.kind === "wait") return verdict.why;
  verdict.end("failed", nowMs);
  return verdict.lane;
}

/** How many tries of an attack get as far as a password, in so long. */
function tried(attack: (i: number) => { user: string; address: string }, forMs: number) {
  const policy = new LoginPolicy();
  let count = 0;
  // 10 tries a second
  for (let i = 0; i * 100 < forMs; i++) {
    const { user, address } = attack(i);
    const told = fail(policy, user, address, i * 100);
    if (told !== "user" && told !== "source") count++;
  }
  return { count, policy };
}

Deno.test("LoginPolicy bounds what an attack can try in ten minutes", async (t) => {
  const cases: [
    name: string,
    attack: (i: number) => { user: string; address: string },
    most: number,
  ][] = [
    ["one user from everywhere", (i) => ({ user: "alice", address: ipv4(i) }), 30],
    ["many users from one address", (i) => ({ user: `u${i}`, address: "192.0.2.1" }), 40],
    [
      "many users from one /64",
      (i) => ({ user: `u${i}`, address: `2001:db8::${i.toString(16)}` }),
      40,
    ],
    ["many users from many /64 of a /56", (i) => ({
      user: `u${i}`,
      address: `2001:db8:0:${(i % 256).toString(16)}::1`,
    }), 40],
    ["many users from many /64 of a /48", (i) => ({
      user: `u${i}`,
      address: `2001:db8:0:${(i % 65536).toString(16)}::1`,
    }), 80],
    ["many users from a /24", (i) => ({ user: `u${i}`, address: `192.0.2.${i % 256}` }), 80],
  ];
  for (const [name, attack, most] of cases) {
    await t.step(name, () => {
      const { count } = tried(attack, 10 * MINUTE_MS);
      equal(count > 5 && count <= most, true, `${count}`);
    });
  }
});

Deno.test("LoginPolicy: where a user has logged in before, nobody else's failures count", () => {
  const { policy } = tried((i) => ({ user: "alice", address: ipv4(i) }), MINUTE_MS);
  const atMs = MINUTE_MS;
  equal(fail(policy, "alice", "198.51.100.1", atMs), "user");
  equal(fail(policy, "alice", "198.51.100.1", atMs, true), "known");
  for (let i = 0; i < 100; i++) fail(policy, `u${i}`, "198.51.100.2", atMs);
  equal(fail(policy, "bob", "198.51.100.2", atMs), "source");
  equal(fail(policy, "bob", "198.51.100.2", atMs, true), "known");
});

Deno.test("LoginPolicy: who is new somewhere waits a minute at most when the attack has ended", () => {
  const { policy } = tried((i) => ({ user: "alice", address: ipv4(i) }), 10 * MINUTE_MS);
  equal(fail(policy, "alice", "198.51.100.1", 11 * MINUTE_MS), "clean");
  const again = tried((i) => ({ user: "alice", address: ipv4(i) }), 10 * MINUTE_MS).policy;
  again.forgive("alice");
  equal(fail(again, "alice", "198.51.100.1", 10 * MINUTE_MS), "clean");
});

Deno.test("LoginPolicy: a crowd that comes at once gets no more tries than one in a row", () => {
  const policy = new LoginPolicy();
  const verdicts = Array.from(
    { length: 100 },
    (_, i) => policy.begin({ user: "alice", source: sourceOf(ipv4(i)), isKnown: false }, 0),
  );
  equal(verdicts.filter(({ kind }) => kind === "go").length, 10);
  // Those that did not fail count no more when they have ended
  for (const verdict of verdicts) if (verdict.kind === "go") verdict.end("other", 0);
  equal(fail(policy, "alice", "198.51.100.1", 0), "clean");
});

Deno.test("LoginPolicy: a source with failures is in the lane of those", () => {
  const policy = new LoginPolicy();
  deepEqual(
    ["192.0.2.1", "192.0.2.1", "192.0.2.2", "198.51.100.1"].map((a) => fail(policy, "u", a, 0)),
    ["clean", "failed", "failed", "clean"],
  );
  equal(fail(policy, "u", "192.0.2.1", 31 * MINUTE_MS), "clean");
});

Deno.test("LoginPolicy says the same whatever a name is", () => {
  const acts = fc.array(fc.tuple(fc.nat(5), fc.nat(60_000)), { maxLength: 60 });
  fc.assert(fc.property(acts, (acts) => {
    const run = (user: string) => {
      const policy = new LoginPolicy();
      let nowMs = 0;
      return acts.map(([host, gapMs]) => fail(policy, user, ipv4(host), nowMs += gapMs));
    };
    deepEqual(run("alice"), run("nobody"));
  }));
});

function ipv4(i: number): string {
  return `${11 + (i >> 16) % 100}.${(i >> 8) % 256}.${i % 256}.1`;
}
