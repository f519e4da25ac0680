import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { printable, printableDocument, printableLines } from "./printable.ts";

/** What no terminal may get of others. */
const RAW = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

Deno.test("printable() shows what a terminal would obey", async (t) => {
  const cases: [text: string, want: string][] = [
    ["plain, with spaces: ä 漢字 👍 →", "plain, with spaces: ä 漢字 👍 →"],
    ["\x1b]0;owned\x07\x1b[2J", "\\x1b]0;owned\\x07\\x1b[2J"],
    ["a\r\nb\tc", "a\\x0d\\x0ab\\x09c"],
    ["\x9b31m\x7f\x85", "\\x9b31m\\x7f\\x85"],
    ["a\u202egpj.exe\u2066\u200f", "a\\u202egpj.exe\\u2066\\u200f"],
    ["zero\u200bwidth\ufeff\u00ad", "zero\\u200bwidth\\ufeff\\xad"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["tag \u{e0041}", "tag \\u{e0041}"],
    ["half \ud800 of one", "half \\ud800 of one"],
  ];
  for (const [text, want] of cases) {
    await t.step(want, () => equal(printable(text), want));
  }
});

Deno.test("printable() leaves nothing raw, changes nothing else, and is at its end after one time", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      const shown = printable(text);
      ok(!RAW.test(shown));
      equal(printable(shown), shown);
      if (!RAW.test(text)) equal(shown, text);
      const lines = printableLines(text);
      ok(!RAW.test(lines.replace(/[\n\t]/g, "")));
      equal(lines.split("\n").length, text.split("\n").length);
    }),
    { numRuns: 300 },
  );
});

Deno.test("printableDocument() changes texts and keys at any depth, and nothing else", () => {
  const document = { "a\n": [1, null, true, undefined, "\x1b[m", { deep: "\u202e" }], plain: "x" };
  deepEqual(
    printableDocument(document),
    {
      "a\\x0a": [1, null, true, undefined, "\\x1b[m", { deep: "\\u202e" }],
      plain: "x",
    } as unknown as typeof document,
  );
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const shown = JSON.stringify(printableDocument(value));
    ok(!RAW.test(shown));
  }));
});
