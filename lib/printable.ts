/**
 * Texts of others on a terminal: what a cluster, a proxy, an agent or a program says may hold escape sequences, lines
 * of its own, or letters that turn the direction of those around them. None of that is shown; what stands for it is.
 * JSON needs none of this: it has escapes of its own.
 *
 * @module
 * @see Unicode Standard Annex 9, and Unicode Technical Report 36 section 2.10
 */

/** Control characters, letters without a shape (those that turn directions among them), lone surrogates, line ends. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const UNPRINTABLE_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Makes a text fit for a place in a line.
 *
 * @example An escape sequence is shown, not obeyed
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { printable } from "./printable.ts";
 *
 * equal(printable("a\x1b[2J\n"), "a\\x1b[2J\\x0a");
 * ```
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf);
}

/** Makes a text of several lines fit to be shown; their ends and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE_BUT_LINES, escapeOf);
}

/** Makes every text in a document fit for a place in a line, keys of objects included. */
export function printableDocument<Value>(value: Value): Value {
  return convert(value) as Value;
}

function convert(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(convert);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [printable(key), convert(inner)]),
  );
}

function escapeOf(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code < 0x100) return `\\x${digits.padStart(2, "0")}`;
  return code < 0x1_0000 ? `\\u${digits.padStart(4, "0")}` : `\\u{${digits}}`;
}
