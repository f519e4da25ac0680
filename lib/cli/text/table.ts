import { printableDocument } from "../../printable.ts";

/**
 * Lays out rows under their headings, columns padded to the widest cell, no trailing spaces. Cells may be others'
 * texts.
 */
export function renderTable(
  headings: readonly string[],
  given: readonly (readonly string[])[],
): string {
  const rows = printableDocument(given);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  return [headings, ...rows]
    .map((row) =>
      row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd() + "\n"
    )
    .join("");
}
