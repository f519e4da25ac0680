import { equal, ok } from "node:assert/strict";
import { parseUptime, readClocks } from "./clocks.ts";

Deno.test("parseUptime() reads the first number, in ms", () => {
  equal(parseUptime("26666.19 13483.00\n"), 26_666_190);
  equal(parseUptime("7 3\n"), 7_000);
  for (const text of ["", "x 1", "-1 2", "1"]) equal(parseUptime(text), null);
});

Deno.test("readClocks() reads clocks that go on, the one with sleep as well", () => {
  const before = readClocks();
  const after = readClocks();
  ok(before.bootMs !== null && after.bootMs !== null && after.bootMs >= before.bootMs);
  ok(after.awakeMs >= before.awakeMs);
});
