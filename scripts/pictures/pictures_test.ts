import { deepEqual, equal, match, throws } from "node:assert/strict";
import { type Cast, formatCast, parseCast } from "./cast.ts";
import { drawPictures } from "./pictures.ts";
import { renderTerminal } from "./terminal_svg.ts";

const CAST: Cast = {
  width: 20,
  height: 2,
  title: "one & two",
  pieces: [{ atMs: 500, text: "$ " }, { atMs: 545, text: "a" }, { atMs: 1200, text: "\n<b>\n" }],
};

Deno.test("README's pictures are what their task draws", async () => {
  for (const [file, text] of await drawPictures()) {
    const there = await Deno.readTextFile(new URL(`../../docs/pictures/${file}`, import.meta.url));
    equal(
      there,
      text,
      `docs/pictures/${file} is older than its source: run deno task pictures --draw`,
    );
  }
});

Deno.test("parseCast() reads what formatCast() writes", () => {
  deepEqual(parseCast(formatCast(CAST)), CAST);
});

Deno.test("parseCast() refuses what is no recording of output", async (t) => {
  const header = formatCast({ ...CAST, pieces: [] });
  const cases: [name: string, file: string][] = [
    ["nothing", ""],
    ["another version", header.replace('"version":2', '"version":3')],
    ["keys that were typed", `${header}[1,"i","secret"]\n`],
    ["half a line", `${header}[1,"o"`],
  ];
  for (const [name, file] of cases) await t.step(name, () => throws(() => parseCast(file)));
});

Deno.test("renderTerminal() shows each piece in its place at its time, and nothing as markup", () => {
  const svg = renderTerminal(CAST);
  match(svg, /<title id="title">one &amp; two<\/title>/);
  match(svg, /class="k k1" x="32" y="57\.3" [^>]*>a</);
  match(svg, /class="k k2" x="16" y="76\.3" [^>]*>&lt;b&gt;</);
  equal(svg.match(/@keyframes/g)?.length, 3);
});

Deno.test("renderTerminal() draws no picture that would lack something", async (t) => {
  const cases: [name: string, text: string][] = [
    ["a colour", "\x1b[31mred"],
    ["a line too wide", "x".repeat(21)],
    ["a line too many", "1\n2\n3"],
  ];
  for (const [name, text] of cases) {
    await t.step(
      name,
      () => void throws(() => renderTerminal({ ...CAST, pieces: [{ atMs: 0, text }] })),
    );
  }
});
