import { equal, throws } from "node:assert/strict";
import { formatRcode, formatRrType, parseRrType } from "./codes.ts";

Deno.test("parseRrType() reads names in any case and TYPE numbers", async (t) => {
  const cases: [text: string, want: number | null][] = [
    ["A", 1],
    ["aaaa", 28],
    ["HTTPS", 65],
    ["TYPE65", 65],
    ["type65535", 65535],
    ["TYPE65536", null],
    ["TYPE", null],
    ["TYPE01", null],
    ["", null],
    ["toString", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => {
      if (want === null) throws(() => parseRrType(text), SyntaxError);
      else equal(parseRrType(text), want);
    });
  }
});

Deno.test("parseRrType() reads back what formatRrType() writes", () => {
  for (let type = 0; type < 65536; type++) equal(parseRrType(formatRrType(type)), type);
});

Deno.test("formatRcode() names what it knows", () => {
  equal(formatRcode(3), "NXDOMAIN");
  equal(formatRcode(23), "RCODE23");
});
