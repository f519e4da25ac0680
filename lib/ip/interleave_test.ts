import { deepEqual } from "node:assert/strict";
import { formatIp, parseIp } from "./address.ts";
import { interleaveFamilies } from "./interleave.ts";

Deno.test("interleaveFamilies() takes turns, beginning with the family of the first", async (t) => {
  const cases: readonly (readonly [given: string, wanted: string])[] = [
    ["", ""],
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2", "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"],
    ["192.0.2.1 2001:db8::1 192.0.2.2", "192.0.2.1 2001:db8::1 192.0.2.2"],
    [
      "192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1",
      "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3",
    ],
    ["2001:db8::1 192.0.2.1 192.0.2.2", "2001:db8::1 192.0.2.1 192.0.2.2"],
  ];
  for (const [given, wanted] of cases) {
    await t.step(given || "none", () => {
      const addresses = given.split(" ").filter(Boolean).map(parseIp);
      deepEqual(interleaveFamilies(addresses).map(formatIp).join(" "), wanted);
    });
  }
});
