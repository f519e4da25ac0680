import { deepEqual } from "node:assert/strict";
import { parseJson } from "./json.ts";

Deno.test("parseJson() gives what the JSON says, and undefined for anything else", async (t) => {
  const cases: [input: string | Uint8Array, want: unknown][] = [
    [`{ "a": [1, null] }`, { a: [1, null] }],
    ["null", null],
    [new TextEncoder().encode(`"ä"`), "ä"],
    ["", undefined],
    ["{", undefined],
    ["undefined", undefined],
    [Uint8Array.of(), undefined],
    [Uint8Array.of(0x22, 0xff, 0x22), undefined], // not UTF-8
  ];
  for (const [input, want] of cases) {
    await t.step(String(input), () => deepEqual(parseJson(input), want));
  }
});
