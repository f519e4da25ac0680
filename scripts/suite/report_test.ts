import { deepEqual, equal } from "node:assert/strict";
import { beginLog, keepInLog, linesToShow, logPath } from "./report.ts";

const SAID = [
  "\x1b[90m./a_test.ts =>\x1b[0m a ... ok (1ms)",
  "b (needs dig) ... ignored (1ms)",
  "c ... FAILED (1ms)",
  "",
  "\x1b[41m ERRORS \x1b[0m",
  "",
  "c => ./a_test.ts:1:2",
  "FAILED | 1 passed | 1 failed | 1 ignored (1s)",
];

Deno.test("linesToShow() shows errors, and of what passed only what was left out and the sum", () => {
  deepEqual(linesToShow(SAID, true), SAID.slice(4));
  deepEqual(linesToShow(SAID, false), [SAID[1], SAID[7]]);
  deepEqual(linesToShow(["no such file"], true), ["no such file"]);
});

Deno.test("logPath() is in the user's cache", () => {
  equal(logPath((name) => ({ HOME: "/h" })[name]), "/h/.cache/vnet/tests.log");
  equal(logPath((name) => ({ HOME: "/h", XDG_CACHE_HOME: "/c" })[name]), "/c/vnet/tests.log");
  equal(logPath(() => undefined), null);
});

Deno.test("the log has what failed since its beginning, and nothing of the run before", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/vnet/tests.log`;
  try {
    beginLog(path);
    keepInLog(path, "of the run before\n");
    beginLog(path);
    equal(await Deno.readTextFile(path), "");
    keepInLog(path, "one\n");
    keepInLog(path, "two\n");
    equal(await Deno.readTextFile(path), "one\ntwo\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
