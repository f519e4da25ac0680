import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { AuthError } from "../../error.ts";
import type { SessionProof } from "../cluster/driver.ts";
import { MfaDesk, type MfaSubject } from "./desk.ts";

const DB: MfaSubject = { app: "db", appId: "1", cluster: "c.test", port: 5432, user: "alice" };
const WEB: MfaSubject = { ...DB, app: "web", appId: "2", port: 80 };

/** A cluster that takes one code. */
const takes = (good: string) => (proof: SessionProof) =>
  proof.totpCode === good
    ? Promise.resolve("right")
    : Promise.reject(new AuthError("mfa-failed", "The code is wrong"));

function start({ answerMs = 60_000 } = {}) {
  const clock = { nowMs: 0 };
  return { clock, desk: new MfaDesk(() => clock.nowMs, { answerMs }) };
}

Deno.test("MfaDesk holds questions until they are answered, the oldest first", async () => {
  const { desk, clock } = start();
  const db = desk.ask(DB, takes("111111"));
  clock.nowMs = 5;
  const web = desk.ask(WEB, takes("222222"));
  deepEqual(desk.list().map(({ id, app, sinceMs, untilMs }) => [id, app, sinceMs, untilMs]), [
    ["1", "db", 0, 60_000],
    ["2", "web", 5, 60_005],
  ]);
  equal((await desk.approve("222222", "2")).app, "web");
  equal(await web, "right");
  equal((await desk.approve("111111", null)).app, "db");
  equal(await db, "right");
  deepEqual(desk.list(), []);
});

Deno.test("MfaDesk takes three wrong codes for an answer", async () => {
  const { desk } = start();
  const db = desk.ask(DB, takes("111111"));
  db.catch(() => {});
  for (const code of ["1", "2", "3"]) {
    equal(desk.list().length, 1);
    await rejects(desk.approve(code, null), { code: "mfa-failed" });
  }
  await rejects(db, { code: "mfa-failed" });
  throws(() => desk.decline(null), { code: "mfa-nothing-waits" });
});

Deno.test("MfaDesk asks no more once the cluster refuses for another reason", async () => {
  const { desk } = start();
  const refuse = () => Promise.reject(new AuthError("login-locked", "Too many wrong codes"));
  const db = desk.ask(DB, refuse);
  db.catch(() => {});
  await rejects(desk.approve("111111", null), { code: "login-locked" });
  await rejects(db, { code: "login-locked" });
  deepEqual(desk.list(), []);
});

Deno.test("MfaDesk does not ask again for a while after a no", async () => {
  const { desk, clock } = start();
  const db = desk.ask(DB, takes("111111"));
  desk.decline(null);
  await rejects(db, { code: "mfa-declined" });
  await rejects(desk.ask(DB, takes("111111")), { code: "mfa-declined" });
  const other = desk.ask({ ...DB, port: 5433 }, takes("111111"));
  await desk.approve("111111", null);
  equal(await other, "right");
  clock.nowMs = 10_000;
  const again = desk.ask(DB, takes("111111"));
  await desk.approve("111111", null);
  equal(await again, "right");
});

Deno.test("MfaDesk gives up in time, but not on a code that is being tried", async () => {
  const { desk } = start({ answerMs: 1 });
  await rejects(desk.ask(DB, takes("111111")), { code: "mfa-unanswered" });
  const trial = Promise.withResolvers<string>();
  const db = desk.ask(DB, () => trial.promise);
  const approving = desk.approve("111111", null);
  await rejects(desk.approve("111111", null), { code: "mfa-nothing-waits" });
  await new Promise((resolve) => setTimeout(resolve, 5));
  trial.resolve("right");
  await approving;
  equal(await db, "right");
});

Deno.test("MfaDesk holds no more questions than a person can look at", async () => {
  const { desk } = start();
  const asked = Array.from({ length: 32 }, (_, n) => desk.ask({ ...DB, port: n + 1 }, takes("1")));
  await rejects(desk.ask(WEB, takes("1")), { code: "mfa-unanswered" });
  const ends = Promise.allSettled(asked);
  for (const _ of asked) desk.decline(null);
  deepEqual(new Set((await ends).map(({ status }) => status)), new Set(["rejected"]));
});

Deno.test("MfaDesk.changed() wakes with every question that comes or goes", async () => {
  const { desk } = start();
  const never = new AbortController().signal;
  const { revision } = desk;
  const waking = desk.changed(revision, never);
  const db = desk.ask(DB, takes("1"));
  db.catch(() => {});
  await waking;
  const next = desk.changed(desk.revision, never);
  desk.decline(null);
  await next;
  await desk.changed(desk.revision, AbortSignal.abort());
});

Deno.test("MfaDesk.close() ends questions, and whoever waits for one", async () => {
  const { desk } = start();
  const never = new AbortController().signal;
  const db = desk.ask(DB, takes("1"));
  const waking = desk.changed(desk.revision, never);
  desk.close();
  await rejects(db, { code: "mfa-unanswered" });
  await waking;
  await desk.changed(desk.revision, never);
  await rejects(desk.ask(DB, takes("1")), { code: "mfa-unanswered" });
});
