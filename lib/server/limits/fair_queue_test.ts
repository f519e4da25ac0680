import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { FairQueue, type Lane } from "./fair_queue.ts";

const RULE = { running: 1, waiting: { known: 2, clean: 4, failed: 2 } };

/** Lets everything that has settled be told. */
const settle = async () => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};

/** A queue whose one turn is taken, and what becomes of who comes after. */
function taken(rule = RULE) {
  const queue = new FairQueue(rule);
  const turns: string[] = [];
  const refused: string[] = [];
  queue.enter("clean", "first");
  return {
    queue,
    turns,
    refused,
    come: (name: string, lane: Lane, network: string) =>
      void queue.enter(lane, network).then((turn) => (turn ? turns : refused).push(name)),
  };
}

Deno.test("FairQueue: the known go first, networks take turns, who failed is not forgotten", async () => {
  const { queue, turns, come } = taken();
  come("f", "failed", "e");
  come("a1", "clean", "a");
  come("a2", "clean", "a");
  come("b", "clean", "b");
  come("k", "known", "c");
  for (let i = 0; i < 6; i++) {
    queue.leave();
    await settle();
  }
  deepEqual(turns, ["k", "a1", "b", "f", "a2"]);
});

Deno.test("FairQueue: a full lane costs the network that has most of it, and no other lane", async () => {
  const { refused, come } = taken();
  for (const name of ["a1", "a2", "a3", "a4", "a5"]) come(name, "clean", "a");
  await settle();
  deepEqual(refused, ["a5"]);
  come("b1", "clean", "b");
  come("b2", "clean", "b");
  come("b3", "clean", "b");
  await settle();
  deepEqual(refused, ["a5", "a4", "a3", "b3"]);
  come("k", "known", "a");
  come("f", "failed", "a");
  await settle();
  equal(refused.length, 4);
});

Deno.test("FairQueue gives every turn it takes, and never more than it has", async () => {
  const lane = fc.constantFrom<Lane>("known", "clean", "failed");
  const acts = fc.array(fc.tuple(fc.boolean(), lane, fc.nat(3)), { maxLength: 60 });
  await fc.assert(fc.asyncProperty(acts, async (acts) => {
    const queue = new FairQueue({ ...RULE, running: 2 });
    let running = 0;
    let open = 0;
    for (const [isEnter, lane, network] of acts) {
      if (isEnter) {
        open++;
        queue.enter(lane, `${network}`).then((turn) => {
          open--;
          if (turn) running++;
        });
      } else if (running > 0) {
        running--;
        queue.leave();
      }
      await settle();
      equal(running <= 2, true);
      equal(open <= 8, true, "who waits is bounded");
    }
    queue.close();
    await settle();
    equal(await queue.enter("known", "0"), false);
    equal(open, 0, "everybody was answered");
  }));
});
