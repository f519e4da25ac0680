import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { Script } from "node:vm";
import { BuildError } from "./build_error.ts";
import { makeCodeCache, wrap } from "./bundle.ts";

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
