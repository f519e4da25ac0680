import { deepEqual, equal } from "node:assert/strict";
import { inLanes } from "./lanes.ts";

/** Items that end when they are told to. */
class Slow {
  readonly began: [item: string, lane: number][] = [];
  readonly #ends = new Map<string, () => void>();

  run = (item: string, lane: number): Promise<string> => {
    this.began.push([item, lane]);
    return new Promise((resolve) => this.#ends.set(item, () => resolve(item.toUpperCase())));
  };

  /** Ends one, and lets who waits for it go on. */
  async end(item: string): Promise<void> {
    this.#ends.get(item)?.();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
}

const NEVER = new AbortController().signal;

Deno.test("inLanes() gives the next item to who is free first", async () => {
  const slow = new Slow();
  const done = inLanes(["a", "b", "c", "d"], 2, slow.run, NEVER);
  deepEqual(slow.began, [["a", 1], ["b", 2]]);
  await slow.end("b");
  deepEqual(slow.began.slice(2), [["c", 2]]);
  await slow.end("c");
  deepEqual(slow.began.slice(3), [["d", 2]]);
  await slow.end("a");
  await slow.end("d");
  deepEqual(await done, ["B", "C", "A", "D"]);
});

Deno.test("inLanes() begins nothing more once it is stopped, and lets what runs end", async () => {
  const slow = new Slow();
  const stop = new AbortController();
  const done = inLanes(["a", "b", "c"], 2, slow.run, stop.signal);
  stop.abort();
  await slow.end("a");
  await slow.end("b");
  deepEqual(await done, ["A", "B"]);
  equal(slow.began.length, 2);
});

Deno.test("inLanes() with fewer items than lanes, and none", async () => {
  deepEqual(await inLanes(["a"], 2, (item) => Promise.resolve(item), NEVER), ["a"]);
  deepEqual(await inLanes([], 2, (item) => Promise.resolve(item), NEVER), []);
});
