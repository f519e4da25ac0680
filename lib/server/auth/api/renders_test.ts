import { equal, rejects } from "node:assert/strict";
import { Renders } from "./renders.ts";

Deno.test("Renders makes an answer once between one change and the next", async () => {
  const renders = new Renders();
  let made = 0;
  const answer = (key: string) => ({ key, value: () => ({ key, made: ++made }) });
  const first = await renders.of(1, answer("a"));
  equal(first.body, '{"key":"a","made":1}');
  equal(await renders.of(1, answer("a")), first);
  equal((await renders.of(1, answer("b"))).body, '{"key":"b","made":2}');
  equal((await renders.of(2, answer("a"))).body, '{"key":"a","made":3}');
  equal((await renders.of(2, answer("a"))).body, '{"key":"a","made":3}');
});

Deno.test("Renders keeps no failure", async () => {
  const renders = new Renders();
  const failing = { key: "a", value: () => Promise.reject(new Error("no")) };
  await rejects(renders.of(1, failing), /no/);
  equal((await renders.of(1, { key: "a", value: () => 1 })).body, "1");
});

Deno.test("Renders answers beyond what it keeps", async () => {
  const renders = new Renders();
  for (let i = 0; i < 200; i++) {
    equal((await renders.of(1, { key: `${i}`, value: () => i })).body, `${i}`);
  }
  let made = 0;
  await renders.of(1, { key: "199", value: () => ++made });
  equal(made, 1, "the last ones are made anew");
});
