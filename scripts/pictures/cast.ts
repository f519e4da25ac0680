/**
 * Terminal recordings as asciinema writes them: asciicast v2, a header line and one line per piece of output.
 * Source: https://docs.asciinema.org/manual/asciicast/v2/
 *
 * @module
 */
import { z } from "zod";

const headerSchema = z.object({
  version: z.literal(2),
  width: z.int().min(20).max(200),
  height: z.int().min(1).max(100),
  title: z.string(),
});

const eventSchema = z.tuple([z.number().min(0), z.literal("o"), z.string()]);

/** A recording. */
export interface Cast {
  /** Columns. */
  readonly width: number;
  /** Lines. */
  readonly height: number;
  readonly title: string;
  readonly pieces: readonly Piece[];
}

/** What the terminal was sent at once. */
export interface Piece {
  /** Since the recording began. */
  readonly atMs: number;
  readonly text: string;
}

/** Writes a recording as a `.cast` file. */
export function formatCast({ width, height, title, pieces }: Cast): string {
  const lines: unknown[] = [
    { version: 2, width, height, title },
    ...pieces.map(({ atMs, text }) => [Math.round(atMs) / 1000, "o", text]),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/**
 * Reads a `.cast` file.
 *
 * @throws {z.ZodError | SyntaxError} It is none, or has more than output in it.
 */
export function parseCast(file: string): Cast {
  const [header = "", ...lines] = file.trimEnd().split("\n");
  const { width, height, title } = headerSchema.parse(JSON.parse(header));
  const pieces = lines.map((line) => {
    const [at, , text] = eventSchema.parse(JSON.parse(line));
    return { atMs: Math.round(at * 1000), text };
  });
  return { width, height, title, pieces };
}
