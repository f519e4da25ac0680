import { equal } from "node:assert/strict";
import { isAsciiOnly, toAscii } from "./ascii.ts";

Deno.test("isAsciiOnly() reads LC_ALL, LC_CTYPE and LANG in their order", async (t) => {
  const cases: [env: Record<string, string>, want: boolean][] = [
    [{}, true],
    [{ LANG: "C" }, true],
    [{ LANG: "de_DE.ISO-8859-1" }, true],
    [{ LANG: "en_US.UTF-8" }, false],
    [{ LANG: "C.utf8" }, false],
    [{ LANG: "en_US.UTF-8", LC_ALL: "C" }, true],
    [{ LANG: "C", LC_CTYPE: "C.UTF-8" }, false],
    [{ LANG: "en_US.UTF-8", LC_ALL: "" }, false],
  ];
  for (const [env, want] of cases) {
    await t.step(JSON.stringify(env), () => equal(isAsciiOnly((name) => env[name]), want));
  }
});

Deno.test("toAscii() leaves nothing that the C locale lacks", () => {
  equal(toAscii("ID,… → “a” é"), 'ID,... -> "a" ?');
});
