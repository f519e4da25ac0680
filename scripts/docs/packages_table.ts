/**
 * Writes the table of packages into docs/develop.md, from scripts/setup/packages.ts.
 *
 *   deno run -A scripts/docs/packages_table.ts
 *
 * @module
 */
import { FAMILIES, NEEDS } from "../setup/packages.ts";

const PAGE = new URL("../../docs/develop.md", import.meta.url);
const HEADINGS = "| program | for | Debian | Ubuntu | Fedora | Arch | Alpine | openSUSE |";

/** The rows below the headings, their cells not padded. */
export function packageRows(): string[][] {
  return NEEDS.map(({ programs, use, packages }) => [
    programs.map((program) => `\`${program}\``).join(", "),
    use === "demo" ? "demo, tests" : "tests",
    ...FAMILIES.map((family) => packages[family] ?? "—"),
  ]);
}

/** The cells of the table in a page, row by row; empty if it has none. */
export function rowsIn(page: string): string[][] {
  const lines = page.split("\n");
  const begin = lines.findIndex((line) => squeeze(line) === HEADINGS);
  if (begin === -1) return [];
  const end = lines.findIndex((line, index) => index > begin && !line.startsWith("|"));
  return lines.slice(begin + 2, end).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

function squeeze(line: string): string {
  return line.replace(/ +/g, " ");
}

/** @returns The page with the table in place of the one it has; `deno fmt` pads the cells. */
function replaceTable(page: string): string {
  const lines = page.split("\n");
  const begin = lines.findIndex((line) => squeeze(line) === HEADINGS);
  if (begin === -1) throw new Error("docs/develop.md has no table of packages");
  const end = lines.findIndex((line, index) => index > begin && !line.startsWith("|"));
  const rows = packageRows().map((cells) => `| ${cells.join(" | ")} |`);
  return [...lines.slice(0, begin + 2), ...rows, ...lines.slice(end)].join("\n");
}

if (import.meta.main) {
  await Deno.writeTextFile(PAGE, replaceTable(await Deno.readTextFile(PAGE)));
}
