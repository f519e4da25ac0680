import { equal, rejects } from "node:assert/strict";
import { DeadlinePassed, orAborted, pause, withDeadline } from "./wait.ts";

const NEVER = new AbortController().signal;

/** Waits until the signal fires, and throws its reason. */
function until(signal: AbortSignal): Promise<never> {
  return orAborted(new Promise<never>(() => {}), signal);
}

Deno.test("withDeadline() tells a passed deadline from the caller's own change of mind", async (t) => {
  await t.step("time is up", async () => {
    await rejects(withDeadline(1, NEVER, until), DeadlinePassed);
  });
  await t.step("the caller gave up", async () => {
    const stop = new AbortController();
    const waiting = withDeadline(60_000, stop.signal, until);
    stop.abort(new Error("enough"));
    await rejects(waiting, /enough/);
  });
  await t.step("the caller had given up before", async () => {
    await rejects(withDeadline(60_000, AbortSignal.abort(new Error("before")), until), /before/);
  });
  await t.step("done in time", async () => {
    equal(await withDeadline(60_000, NEVER, () => Promise.resolve(7)), 7);
  });
  await t.step("an error of its own in time", async () => {
    await rejects(withDeadline(60_000, null, () => Promise.reject(new Error("own"))), /own/);
  });
});

Deno.test("pause() ends early when the signal fires", async () => {
  const stop = new AbortController();
  const waiting = pause(60_000, stop.signal);
  stop.abort();
  await waiting;
  await pause(60_000, AbortSignal.abort());
});
