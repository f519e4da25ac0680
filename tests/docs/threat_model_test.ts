import { deepEqual, ok } from "node:assert/strict";
import { ROOT } from "./pages.ts";

const PAGE = `${ROOT}docs/threat-model.md`;
/** A file of the source tree, and words of the name of a test in it. */
const SHOWN = /^`([^`]+)` "(.+)"$/;

/** The rows of the tables of one section, each as its cells. */
function rowsOf(text: string, section: string): readonly (readonly string[])[] {
  const from = text.indexOf(`## ${section}\n`);
  const end = text.indexOf("\n## ", from + 1);
  return text.slice(from, end).split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
    .filter((cells) => !/^(what|-+$)/.test(cells[0] ?? "") || cells[3] !== "shown by");
}

Deno.test("every row of the threat model names a test that is there", async () => {
  const rows = rowsOf(await Deno.readTextFile(PAGE), "Who gets what")
    .filter(([first = ""]) => !/^-+$/.test(first));
  ok(rows.length > 40, `${rows.length} rows`);
  const wrong: string[] = [];
  for (const cells of rows) {
    const [attempt = "", , , shown = ""] = cells;
    const [, file, name] = SHOWN.exec(shown) ?? [];
    if (cells.length !== 4 || file === undefined || name === undefined) {
      wrong.push(`${attempt}: names no test`);
      continue;
    }
    const text = await Deno.readTextFile(`${ROOT}${file}`).catch(() => null);
    const isTest = text?.split("\n").some((line) => /["`]/.test(line) && line.includes(name));
    if (isTest !== true) wrong.push(`${attempt}: ${file} has no "${name}"`);
  }
  deepEqual(wrong, []);
});
