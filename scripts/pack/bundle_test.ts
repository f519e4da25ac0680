import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { Script } from "node:vm";
import { BuildError } from "./build_error.ts";
import { makeCodeCache, mostCommon, wrap } from "./bundle.ts";

Deno.test("wrap() makes an ASCII function that means the same", () => {
  const script = wrap(`/*! © Héctor 🎉 */module.exports={n:require("x")};`);
  match(script, /^[\0-\x7f]*$/);
  const module = { exports: {} };
  new Script(script).runInThisContext()(() => 5, module);
  deepEqual(module.exports, { n: 5 });
});

Deno.test("makeCodeCache() gives a cache that V8 takes, and the same one twice", async () => {
  const script = wrap(`function f(n){return n+1}console.log(f(1));Deno.exit(0)`);
  const cache = await makeCodeCache(script, [["version"], ["status"]]);
  const loaded = new Script(script, { filename: "vnet.js", cachedData: cache });
  equal(loaded.cachedDataRejected, false);
  deepEqual(await makeCodeCache(script, [["version"], ["status"]]), cache);
});

Deno.test("makeCodeCache() says what the program said when it breaks", async () => {
  await rejects(
    makeCodeCache(wrap(`throw new Error("on purpose")`), [[]]),
    (e: BuildError) => e.code === "cache-failed" && /on purpose/.test(e.message),
  );
});

Deno.test("mostCommon() gives what comes most often, whatever came first", async (t) => {
  const cases: [name: string, made: string, want: string, tries: number][] = [
    ["all the same", "aaaaaaa", "a", 3],
    ["an odd one first", "baaa", "a", 4],
    ["odd ones between", "abaca", "a", 5],
    ["not as many as wanted", "abbcdef", "b", 7],
  ];
  for (const [name, made, want, tries] of cases) {
    await t.step(name, async () => {
      let at = 0;
      const make = () => Promise.resolve(new TextEncoder().encode(made[at++]));
      equal(new TextDecoder().decode(await mostCommon(make, 3, 7)), want);
      equal(at, tries);
    });
  }
  await t.step("all different: the same, in whatever order", async () => {
    const of = async (made: string) => {
      const bytes = [...made].map((letter) => new TextEncoder().encode(letter));
      return new TextDecoder().decode(
        await mostCommon(() => Promise.resolve(bytes.shift()!), 3, 3),
      );
    };
    equal(await of("abc"), await of("cba"));
  });
});
