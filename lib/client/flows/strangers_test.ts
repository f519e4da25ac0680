import { deepEqual, equal } from "node:assert/strict";
import { parseEndpoint } from "../../ip/mod.ts";
import type { SynEvent } from "../../os/mod.ts";
import { Strangers } from "./strangers.ts";

function syn(uid: number | null): SynEvent {
  return {
    id: 1n,
    source: parseEndpoint("100.64.0.1:40000"),
    destination: parseEndpoint("100.64.0.9:5432"),
    uid,
    inode: 4711,
  };
}

Deno.test("Strangers counts by user and looks for a program, though not too often", async () => {
  let asked = 0;
  const strangers = new Strangers(() => Promise.resolve(`/bin/p${++asked}`));
  for (let i = 1; i <= 8; i++) {
    deepEqual(await strangers.meet(syn(1001), 0), { uid: 1001, program: `/bin/p${i}` });
  }
  deepEqual(await strangers.meet(syn(1001), 0), { uid: 1001, program: null });
  deepEqual(await strangers.meet(syn(1002), 249), { uid: 1002, program: null });
  deepEqual(await strangers.meet(syn(1002), 250), { uid: 1002, program: "/bin/p9" });
  deepEqual(await strangers.meet(syn(1002), 250), { uid: 1002, program: null });
  deepEqual(await strangers.meet(syn(null), 10_000), { uid: null, program: null });
  equal(asked, 9);
  deepEqual(strangers.render(), [
    { uid: 1001, total: 9 },
    { uid: 1002, total: 3 },
    { total: 1 },
  ]);
});

Deno.test("Strangers answers without a program when none is found in time, or at all", async (t) => {
  await t.step("the finder fails", async () => {
    const strangers = new Strangers(() => Promise.reject(new Error("no helper")));
    equal((await strangers.meet(syn(1001), 0)).program, null);
  });
  await t.step("the finder never answers: the next is not even asked for", async () => {
    let asked = 0;
    const strangers = new Strangers(() => {
      asked++;
      return new Promise(() => {});
    });
    equal((await strangers.meet(syn(1001), 0)).program, null);
    equal((await strangers.meet(syn(1001), 10_000)).program, null);
    equal(asked, 1);
  });
  await t.step("a name that would play with the terminal", async () => {
    const strangers = new Strangers(() => Promise.resolve('/tmp/\x1b[2J"x'));
    equal((await strangers.meet(syn(1001), 0)).program, "/tmp/?[2J?x");
  });
});

Deno.test("Strangers remembers a bounded number of users", async () => {
  const strangers = new Strangers(() => Promise.resolve(null));
  for (let uid = 1; uid <= 1000; uid++) await strangers.meet(syn(uid), 0);
  equal(strangers.render().length, 256);
});
