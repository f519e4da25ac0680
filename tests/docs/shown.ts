/**
 * Tables of pages whose last column names a test.
 *
 * @module
 */
import { ROOT } from "./pages.ts";

/** A file of the source tree, and words of the name of a test in it. */
const SHOWN = /^`([^`]+)` "(.+)"$/;

/** The rows of the tables of one section, each as its cells; no headings. */
export function rowsOf(text: string, section: string): readonly (readonly string[])[] {
  const from = text.indexOf(`## ${section}\n`);
  const end = text.indexOf("\n## ", from + 1);
  return text.slice(from, end).split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
    .filter((cells) => !/^-+$/.test(cells[0] ?? "") && cells.at(-1) !== "shown by");
}

/** Looks for the test that a cell names. @returns What is wrong with it; `null` for nothing. */
export async function missingTest(what: string, shown: string): Promise<string | null> {
  const [, file, name] = SHOWN.exec(shown) ?? [];
  if (file === undefined || name === undefined) return `${what}: names no test`;
  const text = await Deno.readTextFile(`${ROOT}${file}`).catch(() => null);
  const isTest = text?.split("\n").some((line) => /["`]/.test(line) && line.includes(name));
  return isTest === true ? null : `${what}: ${file} has no "${name}"`;
}
