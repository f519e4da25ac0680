import { deepEqual, equal, match } from "node:assert/strict";
import type { Usage } from "@optique/core/usage";
import { needing } from "../../../tests/needs.ts";
import { EXIT } from "../exit.ts";
import { PARSER } from "../grammar/parser.ts";
import { renderManual } from "./manual.ts";

/** A bold letter is printed over itself, an italic one over a line. */
const OVERSTRIKE = new RegExp(`.${String.fromCharCode(8)}`, "gs");

/** Renders roff as a terminal would show it. @returns The text without overstrikes, and what groff complains of. */
async function groff(roff: string): Promise<{ readonly text: string; readonly stderr: string }> {
  const child = new Deno.Command("groff", {
    args: ["-man", "-Tutf8", "-ww", "-P-c", "-rLL=200n"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(roff));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { text: decoder.decode(stdout).replace(OVERSTRIKE, ""), stderr: decoder.decode(stderr) };
}

/** Every command path and option name of a usage that is not hidden. */
function namesIn(usage: Usage): string[] {
  return usage.flatMap((term): readonly string[] => {
    switch (term.type) {
      case "command":
        return term.hidden === true ? [] : [term.name];
      case "option":
        return term.hidden === true ? [] : term.names;
      case "exclusive":
        return term.terms.flatMap((alternative) =>
          alternative.some((t) => t.type === "command" && t.hidden === true)
            ? []
            : namesIn(alternative)
        );
      case "optional":
      case "multiple":
      case "sequence":
        return namesIn(term.terms);
      default:
        return [];
    }
  });
}

Deno.test(
  needing(["groff"], "renderManual() is roff that groff has nothing to say about", async () => {
    const { text, stderr } = await groff(renderManual());
    equal(stderr, "");
    const names = new Set(namesIn(PARSER.usage));
    equal(names.size > 30, true);
    deepEqual([...names].filter((name) => !text.includes(name)), []);
    match(text, /^ +vnet ctl users add --roles ROLE\[,ROLE\] \.\.\. /m);
    equal(text.includes("demo-inside"), false, "hidden commands stay hidden");
  }),
);

Deno.test("renderManual() needs no letter that a terminal in the C locale lacks", () => {
  const manual = renderManual();
  match(manual, /^[\x20-\x7e\n]*$/);
  equal(manual.includes("\\[u"), false);
});

Deno.test("renderManual() documents every exit status", () => {
  const manual = renderManual();
  for (const status of Object.values(EXIT)) match(manual, new RegExp(`^\\.B ${status}$`, "m"));
});

Deno.test("renderManual() has the sections that man-pages(7) asks for, in its order", () => {
  const sections = renderManual().split("\n").filter((l) => l.startsWith(".SH ")).map((l) =>
    l.slice(4)
  );
  deepEqual(sections, [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "COMMANDS",
    "OPTIONS",
    "EXIT STATUS",
    "SIGNALS",
    "ENVIRONMENT",
    "FILES",
    "NOTES",
    "EXAMPLES",
    "SEE ALSO",
  ]);
});
