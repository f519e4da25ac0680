import { deepEqual, equal, rejects } from "node:assert/strict";
import { AllFailed, inTurn } from "./in_turn.ts";

const NEVER = new AbortController().signal;

/** Attempts that a test lets succeed or fail, and a clock that a test moves. */
function world(count: number) {
  const began: number[] = [];
  const aborted: number[] = [];
  const discarded: string[] = [];
  const waits: { readonly ms: number; readonly pass: () => void }[] = [];
  const ends = Array.from({ length: count }, () => Promise.withResolvers<string>());
  const attempts = ends.map(({ promise }, index) => (signal: AbortSignal) => {
    began.push(index);
    signal.addEventListener("abort", () => aborted.push(index));
    return promise;
  });
  const wait = (ms: number, signal: AbortSignal) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waits.push({ ms, pass: resolve });
    signal.addEventListener("abort", () => resolve());
    return promise;
  };
  const options = { delayMs: 250, discard: (late: string) => void discarded.push(late), wait };
  const settle = async () => {
    for (let turns = 0; turns < 10; turns++) await Promise.resolve();
  };
  return { began, aborted, discarded, waits, ends, attempts, options, settle };
}

Deno.test("inTurn() begins the next attempt after the delay, and takes what succeeds first", async () => {
  const { attempts, options, began, waits, ends, aborted, discarded, settle } = world(3);
  const racing = inTurn(attempts, { ...options, signal: NEVER });
  await settle();
  deepEqual([began, waits.map(({ ms }) => ms)], [[0], [250]]);
  waits[0]?.pass();
  await settle();
  deepEqual(began, [0, 1]);
  ends[1]?.resolve("second");
  deepEqual(await racing, { value: "second", index: 1 });
  deepEqual([began, aborted], [[0, 1], [0, 1]]);
  ends[0]?.resolve("late");
  await settle();
  deepEqual(discarded, ["late"]);
});

Deno.test("inTurn() begins the next attempt at once when one fails, whichever it is", async () => {
  const { attempts, options, began, waits, ends, settle } = world(4);
  const racing = inTurn(attempts, { ...options, signal: NEVER });
  await settle();
  ends[0]?.reject(new Error("a"));
  await settle();
  deepEqual(began, [0, 1]);
  waits.at(-1)?.pass();
  await settle();
  deepEqual(began, [0, 1, 2]);
  ends[1]?.reject(new Error("b"));
  await settle();
  deepEqual(began, [0, 1, 2, 3]);
  ends[2]?.resolve("third");
  equal((await racing).index, 2);
  ends[3]?.reject(new Error("nobody hears of it"));
});

Deno.test("inTurn() fails with every error in order when all have failed", async () => {
  const { attempts, options, ends, waits, settle } = world(3);
  const racing = inTurn(attempts, { ...options, signal: NEVER });
  racing.catch(() => {});
  await settle();
  waits[0]?.pass();
  await settle();
  ends[1]?.reject("b");
  await settle();
  ends[2]?.reject("c");
  await settle();
  ends[0]?.reject("a");
  await rejects(racing, (thrown) => {
    deepEqual(thrown instanceof AllFailed && thrown.errors, ["a", "b", "c"]);
    return true;
  });
  await rejects(inTurn([], { ...options, signal: NEVER }), AllFailed);
});

Deno.test("inTurn() ends with its signal: every attempt is told, none is begun any more", async () => {
  const { attempts, options, began, aborted, ends, discarded, settle } = world(3);
  const stop = new AbortController();
  const racing = inTurn(attempts, { ...options, signal: stop.signal });
  await settle();
  stop.abort(new Error("enough"));
  await rejects(racing, /enough/);
  ends[0]?.resolve("late");
  await settle();
  deepEqual([began, aborted, discarded], [[0], [0], ["late"]]);
  await rejects(inTurn(attempts, { ...options, signal: stop.signal }), /enough/);
  deepEqual(began, [0]);
});
