import { equal, ok } from "node:assert/strict";
import { fuzzWire } from "./wire/fuzz.ts";

Deno.test("what reads the network holds for the first inputs of seed 1", () => {
  const tried = fuzzWire(21_000, 1);
  equal(tried.reduce((sum, { inputs }) => sum + inputs, 0), 21_000);
  // the bending leaves enough that gets past the first checks, and breaks enough
  for (const { name, inputs, understood } of tried) {
    ok(understood > inputs / 20 && understood < inputs, `${name}: ${understood} of ${inputs}`);
  }
});
