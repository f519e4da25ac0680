import { deepEqual, equal, rejects } from "node:assert/strict";
import { LoginDesk, type LoginStanding } from "./desk.ts";

const OVER: LoginStanding = {
  proxy: "a.test",
  cluster: "A",
  user: "alice",
  over: "login-expired",
};
const GOOD = { ...OVER, over: null };
const never = new AbortController().signal;

const start = (heldMs = 60_000) => new LoginDesk(() => 7, { heldMs });

Deno.test("LoginDesk asks once for a login that is over, and lets go on who waited for it", async () => {
  const desk = start();
  desk.follow([OVER, { ...GOOD, proxy: "b.test" }]);
  const both = Promise.all([desk.wait(OVER, never), desk.wait(OVER, never)]);
  deepEqual(desk.list(), [
    { proxy: "a.test", cluster: "A", user: "alice", sinceMs: 7, waiting: 2 },
  ]);
  desk.follow([OVER]);
  equal(desk.list().length, 1);
  desk.follow([GOOD]);
  await both;
  deepEqual(desk.list(), []);
});

Deno.test("LoginDesk says which provider a login was made with", () => {
  const desk = start();
  desk.follow([{ ...OVER, connector: "corp" }]);
  equal(desk.list()[0]?.connector, "corp");
});

Deno.test("LoginDesk lets go on who waited for a login that is gone", async () => {
  const desk = start();
  const waiting = desk.wait(OVER, never); // before anybody said that it is over
  equal(desk.list()[0]?.waiting, 1);
  desk.follow([]);
  await waiting;
});

Deno.test("LoginDesk refuses who waited in vain, and goes on asking", async () => {
  const desk = start(1);
  await rejects(desk.wait(OVER, never), { code: "login-expired" });
  equal(desk.list()[0]?.waiting, 0);
  const gone = AbortSignal.abort(new Error("the program went away"));
  await rejects(desk.wait(OVER, gone), /went away/);
});

Deno.test("LoginDesk takes a no for an answer until the next login", async () => {
  const desk = start();
  const ended = { ...OVER, over: "session-ended" };
  const waiting = desk.wait(ended, never);
  equal(desk.decline("a.test"), true);
  const refused = { code: "session-ended", hint: "Run `vnet login a.test --user alice`" };
  await rejects(waiting, refused);
  await rejects(desk.wait(ended, never), refused);
  desk.follow([ended]);
  deepEqual([desk.list(), desk.decline("a.test"), desk.decline("c.test")], [[], false, false]);
  desk.follow([GOOD]);
  desk.follow([ended]);
  equal(desk.list().length, 1);
});

Deno.test("LoginDesk holds no more connections than it says", async () => {
  const desk = start();
  const held = Array.from({ length: 256 }, () => desk.wait(OVER, never));
  await rejects(desk.wait({ ...OVER, proxy: "b.test" }, never), { code: "login-expired" });
  desk.close();
  const ends = await Promise.allSettled(held);
  deepEqual(new Set(ends.map(({ status }) => status)), new Set(["rejected"]));
  await rejects(desk.wait(OVER, never), { code: "login-expired" });
  deepEqual(desk.list(), []);
});
