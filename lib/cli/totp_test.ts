import { equal } from "node:assert/strict";
import { readTotpCode } from "./totp.ts";

Deno.test("readTotpCode() takes a code as authenticators show it", async (t) => {
  const cases: [text: string, want: string | null][] = [
    ["849478", "849478"],
    ["849 478", "849478"],
    ["849\u00a0478", "849478"],
    [" 849-478 ", "849478"],
    ["1234 5678", "12345678"],
    ["84947", null],
    ["123456789", null],
    ["84947a", null],
    ["", null],
  ];
  for (const [text, want] of cases) await t.step(text, () => equal(readTotpCode(text), want));
});
