import { deepEqual, equal } from "node:assert/strict";
import { machine } from "../tests/machine.ts";
import { Random } from "./dns/random.ts";
import { fuzzHelper } from "./helper/fuzz.ts";
import { KINDS, nextMessage } from "./helper/messages.ts";

Deno.test("the helper's loop does what the model says for the first messages of seed 1", async () => {
  const { messages, done, carrying, dropped } = await fuzzHelper(machine.root, {
    ...{ messages: 400, seed: 1, alone: false },
  });
  equal(messages >= 400, true);
  // enough of each gets far enough
  equal(done > 100 && carrying > 20 && dropped > 30, true);
});

Deno.test("nextMessage() gives the same messages for the same seed, and every kind of descriptor", () => {
  const [one, other] = [new Random(7), new Random(7)];
  const kinds = new Set<string>();
  for (let n = 0; n < 2_000; n++) {
    const message = nextMessage(one);
    deepEqual(message, nextMessage(other));
    for (const kind of message.carried) kinds.add(kind);
  }
  deepEqual([...kinds].sort(), [...KINDS].sort());
});
