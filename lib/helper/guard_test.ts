import { equal } from "node:assert/strict";
import { waitAsGuard } from "./guard.ts";

Deno.test("waitAsGuard() repairs unless it was sent away", async (t) => {
  const cases: [name: string, read: (into: Uint8Array) => Promise<number | null>, want: boolean][] =
    [
      ["sent away", (into) => Promise.resolve((into[0] = 0x64, 1)), false],
      ["the other end is gone", () => Promise.resolve(null), true],
      ["the other end was reset", () => Promise.reject(new Deno.errors.ConnectionReset()), true],
      ["an odd word", (into) => Promise.resolve((into[0] = 0x78, 1)), true],
    ];
  for (const [name, read, want] of cases) {
    await t.step(name, async () => equal(await waitAsGuard({ read }), want));
  }
});
