import { equal } from "node:assert/strict";
import { sourceOf } from "./source.ts";

Deno.test("sourceOf() counts a host as one source", async (t) => {
  const cases: [address: string, want: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["somewhere", "unknown"],
  ];
  for (const [address, want] of cases) await t.step(address, () => equal(sourceOf(address), want));
});
