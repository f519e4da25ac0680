/**
 * A table of what held where.
 *
 * @module
 */
import type { Step } from "../host/needs.ts";

/** Cells by row and column, each a step of the test. */
export class Table {
  readonly #step: Step;
  readonly #columns: readonly string[];
  readonly #rows = new Map<string, Map<string, boolean>>();

  constructor(step: Step, columns: readonly string[]) {
    this.#step = step;
    this.#columns = columns;
  }

  /** Fills a cell: it holds unless the act throws. */
  async cell(column: string, row: string, holds: () => void | Promise<void>): Promise<void> {
    const cells = this.#rows.get(row) ?? new Map<string, boolean>();
    this.#rows.set(row, cells.set(column, false));
    await this.#step(`${column}: ${row}`, async () => {
      await holds();
      cells.set(column, true);
    });
  }

  /** How many cells held, of how many. */
  count(): string {
    const cells = [...this.#rows.values()].flatMap((row) => [...row.values()]);
    return `${cells.filter((held) => held).length} of ${cells.length}`;
  }

  render(title: string): string {
    const rows = [...this.#rows].map(([name, row]) => [
      name,
      ...this.#columns.map((column) => {
        const held = row.get(column);
        return held === undefined ? "-" : held ? "ok" : "NOT OK";
      }),
    ]);
    const lines = [["", ...this.#columns], ...rows];
    const widths = ["", ...this.#columns].map((_, index) =>
      Math.max(...lines.map((line) => line[index]?.length ?? 0))
    );
    const text = lines.map((line) =>
      line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ")
    );
    return [`\n${title}: ${this.count()}`, ...text].join("\n");
  }
}
