import { equal, throws } from "node:assert/strict";
import { sipHash24 } from "./siphash.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

// Vectors: the reference implementation's vectors.h (veorq/SipHash), outputs read as little-endian numbers;
// the one of 15 bytes is appendix A of the paper.
Deno.test("sipHash24() gives the reference implementation's outputs", async (t) => {
  const cases: [length: number, want: bigint][] = [
    [0, 0x726fdb47dd0e0e31n],
    [1, 0x74f839c593dc67fdn],
    [7, 0xab0200f58b01d137n],
    [8, 0x93f5f5799a932462n],
    [15, 0xa129ca6149be45e5n],
    [16, 0x3f2acc7f57c29bdbn],
    [63, 0x958a324ceb064572n],
  ];
  for (const [length, want] of cases) {
    await t.step(`${length} bytes`, () => {
      equal(sipHash24(KEY, Uint8Array.from({ length }, (_, i) => i)), want);
    });
  }
});

Deno.test("sipHash24() refuses a key of another size", () => {
  throws(() => sipHash24(new Uint8Array(15), new Uint8Array(1)), RangeError);
});
