import { equal } from "node:assert/strict";
import { message, optionName } from "@optique/core/message";
import { escapeText, renderMessage, renderUsage } from "./roff.ts";

Deno.test("escapeText() leaves roff nothing to obey", async (t) => {
  const cases: [text: string, want: string][] = [
    ["plain", "plain"],
    [".TH is no request", "\\&.TH is no request"],
    ["'tis no request", "\\&'tis no request"],
    ["first\n.second", "first\n\\&.second"],
    ["C:\\new", "C:\\enew"],
    ["--dry-run", "\\-\\-dry\\-run"],
    ["A, AAAA, …", "A, AAAA, ..."],
    ["größe", "gr\\[u00F6]\\[u00DF]e"],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => equal(escapeText(text), want));
  }
});

Deno.test("renderUsage() makes bold what is typed, italic what is replaced", () => {
  const usage = renderUsage([
    { type: "command", name: "ctl" },
    {
      type: "exclusive",
      terms: [[{ type: "literal", value: "a" }], [{ type: "argument", metavar: "B" }]],
    },
    { type: "option", names: ["-f", "--file"], metavar: "FILE" },
    { type: "optional", terms: [{ type: "option", names: ["--follow"] }] },
    { type: "multiple", min: 0, terms: [{ type: "argument", metavar: "X" }] },
    { type: "multiple", min: 1, terms: [{ type: "argument", metavar: "Y" }] },
  ]);
  equal(
    usage,
    "\\fBctl\\fR (\\fBa\\fR | \\fIB\\fR) \\fB\\-f\\fR, \\fB\\-\\-file\\fR \\fIFILE\\fR " +
      "[\\fB\\-\\-follow\\fR] [\\fIX\\fR ...] \\fIY\\fR ...",
  );
});

Deno.test("renderMessage() keeps to one line and to the text", () => {
  equal(
    renderMessage(message`See ${optionName("--config")} and "x".`),
    'See \\-\\-config and "x".',
  );
});
