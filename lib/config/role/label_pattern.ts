/**
 * What a role writes for the value of a label: a text in which `*` stands for any characters, a regular expression
 * between `^` and `$`, or one of these texts with something of the user's in it.
 *
 * @module
 */
import { RE2JS } from "re2js";

/** Whom a role is read for. */
export interface Person {
  readonly user: string;
  /** What is said of them, by name: each has one value or several. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
}

/** A pattern without anything of a user's in it: it can be matched. */
export type FilledPattern =
  /** What stands between the stars, so one part is a plain text. */
  | { readonly kind: "glob"; readonly parts: readonly string[] }
  | {
    readonly kind: "regex";
    readonly text: string;
    /** What a match takes at most for each character of a value. */
    readonly steps: number;
    readonly fits: (value: string) => boolean;
  };

/** A pattern as it is written. */
export type LabelPattern =
  | FilledPattern
  | {
    readonly kind: "template";
    readonly before: readonly string[];
    /** `null` is the user's name. */
    readonly claim: string | null;
    readonly after: readonly string[];
  };

export type ReadPattern =
  | { readonly kind: "good"; readonly pattern: LabelPattern }
  | { readonly kind: "bad"; readonly expected: string };

/** A match takes at most this many steps for each character of a value. */
const MAX_STEPS = 1000;
const TEMPLATE = /^([^{}]*)\{\{\s*(?:(user)|claims\.([A-Za-z0-9_-]{1,64}))\s*\}\}([^{}]*)$/;

/**
 * Reads a pattern.
 *
 * Regular expressions are RE2's: no look-around and no back references, and so in linear time.
 *
 * @see https://github.com/google/re2/wiki/Syntax
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { fillPattern, fitsPattern, parseLabelPattern } from "./label_pattern.ts";
 *
 * const read = parseLabelPattern("^prod-(eu|us)$");
 * if (read.kind !== "good") throw new TypeError(read.expected);
 * const [pattern] = fillPattern(read.pattern, { user: "alice", claims: {} });
 * equal(fitsPattern(pattern!, "prod-eu"), true);
 * equal(fitsPattern(pattern!, "prod-eu-1"), false);
 * ```
 */
export function parseLabelPattern(text: string): ReadPattern {
  const isRegex = /^\^[^]*\$$/.test(text);
  if (!text.includes("{{")) return isRegex ? readRegex(text) : good(glob(text.split("*")));
  const match = isRegex ? null : TEMPLATE.exec(text);
  if (match === null) {
    return {
      kind: "bad",
      expected: isRegex
        ? "a regular expression without {{…}}"
        : "{{user}} or {{claims.NAME}}, once in a text",
    };
  }
  const [, before = "", , claim, after = ""] = match;
  return good({
    kind: "template",
    before: before.split("*"),
    claim: claim ?? null,
    after: after.split("*"),
  });
}

/**
 * Puts a user's own into a pattern. What is put in stands for itself: a star in a name is a star.
 *
 * @returns One for each value of a claim; none if the user has no such claim.
 */
export function fillPattern(pattern: LabelPattern, person: Person): readonly FilledPattern[] {
  if (pattern.kind !== "template") return [pattern];
  const { before, claim, after } = pattern;
  const values = claim === null
    ? [person.user]
    : Object.hasOwn(person.claims, claim)
    ? person.claims[claim]!
    : [];
  return values.map((value) =>
    glob([...before.slice(0, -1), `${before.at(-1)}${value}${after[0]}`, ...after.slice(1)])
  );
}

/** Whether a label's value fits, from its beginning to its end. Linear in both. */
export function fitsPattern(pattern: FilledPattern, value: string): boolean {
  return pattern.kind === "regex" ? pattern.fits(value) : fitsGlob(pattern.parts, value);
}

function fitsGlob(parts: readonly string[], value: string): boolean {
  if (parts.length === 1) return parts[0] === value;
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (value.length < first.length + last.length) return false;
  if (!value.startsWith(first) || !value.endsWith(last)) return false;
  const end = value.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = value.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

function readRegex(text: string): ReadPattern {
  try {
    const compiled = RE2JS.compile(text);
    const steps = compiled.programSize();
    if (steps > MAX_STEPS) {
      return {
        kind: "bad",
        expected: "a smaller regular expression: its repetitions are too many",
      };
    }
    return good({ kind: "regex", text, steps, fits: (value) => compiled.matches(value) });
  } catch (thrown) {
    // The library words a mistake as `error parsing regexp: what: `+"`where`"
    const said = thrown instanceof Error
      ? thrown.message.replace("error parsing regexp: ", "")
      : "";
    return { kind: "bad", expected: `a regular expression that RE2 takes (${said.slice(0, 120)})` };
  }
}

function glob(parts: readonly string[]): FilledPattern {
  return { kind: "glob", parts };
}

function good(pattern: LabelPattern): ReadPattern {
  return { kind: "good", pattern };
}
