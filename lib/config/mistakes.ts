/**
 * Holds what a person wrote against a schema and says every mistake in it: where, what was found, what was expected.
 *
 * @module
 */
import { z } from "zod";
import type { ConfigMistake } from "../error.ts";

/** A path of keys and list positions. */
export type KeyPath = readonly PropertyKey[];

/** Where a path lies in the text, counted from 1; `null` if unknown. */
export type LineOf = (path: KeyPath) => number | null;

/** What a schema made of a value. */
export type Checked<T> =
  | { readonly kind: "good"; readonly value: T }
  | { readonly kind: "bad"; readonly mistakes: readonly ConfigMistake[] };

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** Keys whose values are never repeated in a message. */
const SECRET = /token|password|secret|private/i;
const SHOWN_CHARACTERS = 80;

/** Checks a value against a schema, gathering every mistake. */
export function checkValue<T>(schema: z.ZodType<T>, value: unknown, lineOf: LineOf): Checked<T> {
  const result = schema.safeParse(value, { error: expectation, reportInput: true });
  if (result.success) return { kind: "good", value: result.data };
  const mistakes = result.error.issues.flatMap((issue) => mistakesOf(issue, value, lineOf));
  return { kind: "bad", mistakes };
}

/**
 * An object that refuses keys it does not know, and says which it does.
 *
 * @param refused Keys that are refused in words of their own; see `refusedKey`.
 */
export function strict<Shape extends z.ZodRawShape>(
  shape: Shape,
  refused: Readonly<Record<string, ReturnType<typeof refusedKey>>> = {},
): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).sort().join(", ");
  const object = z.strictObject({ ...shape, ...refused }, {
    error: (issue) => issue.code === "unrecognized_keys" ? `one of ${known}` : undefined,
  });
  // A value that passes has none of the refused keys
  return object as unknown as z.ZodObject<Shape, z.core.$strict>;
}

/** A key that must not be there. @param expected What to write instead, and why. */
export function refusedKey(expected: string): z.ZodOptional<z.ZodNever> {
  return z.never({ error: expected }).optional();
}

/** Writes a path of keys: `apps[2].labels["my key"]`. */
export function formatPath(path: KeyPath): string {
  return path.map((key, i) => {
    if (typeof key === "number") return `[${key}]`;
    if (!/^[A-Za-z0-9_-]+$/.test(String(key))) return `[${JSON.stringify(String(key))}]`;
    return i === 0 ? String(key) : `.${String(key)}`;
  }).join("");
}

function mistakesOf(issue: Issue, whole: unknown, lineOf: LineOf): ConfigMistake[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return mistake(path, `unknown key "${shorten(key)}"`, issue.message, lineOf);
    });
  }
  // A key that must not be so is reported at the object that holds it, with the key last in the path
  const path = asWritten(issue.path, whole);
  return [mistake(path, describe(path, valueAt(whole, path)), issue.message, lineOf)];
}

/** The part of a path that is in the text: a field that takes one value or a list is checked as a list. */
function asWritten(path: KeyPath, whole: unknown): KeyPath {
  const holder = path.findIndex((key, i) =>
    typeof key === "number" && !Array.isArray(valueAt(whole, path.slice(0, i)))
  );
  return holder === -1 ? path : path.slice(0, holder);
}

function mistake(path: KeyPath, found: string, expected: string, lineOf: LineOf): ConfigMistake {
  const line = lineOf(path);
  return {
    path: formatPath(path),
    found: line === null ? found : `${found} (line ${line})`,
    expected,
  };
}

function valueAt(whole: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    whole,
  );
}

/** Says what a value is, without repeating secrets or pages of text. */
function describe(path: KeyPath, value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "an object";
  if (path.some((key) => SECRET.test(String(key)))) return "a secret";
  return typeof value === "string" ? `"${shorten(value)}"` : String(value);
}

function shorten(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\u{fffd}")
    // The password of a URL
    .replace(/(:\/\/[^/@:]*:).*@/, "$1…@");
  return plain.length <= SHOWN_CHARACTERS ? plain : `${plain.slice(0, SHOWN_CHARACTERS)}…`;
}

/** What a schema that does not say so itself expects. */
function expectation(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.length === 1
        ? JSON.stringify(issue.values[0])
        : `one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "too_small":
      return `at least ${issue.minimum}${unit(issue.origin)}`;
    case "too_big":
      return `at most ${issue.maximum}${unit(issue.origin)}`;
    case "invalid_union":
      return issue.errors.length === 0 && Array.isArray(issue["options"])
        ? `one of ${issue["options"].map((option) => JSON.stringify(option)).join(", ")}`
        : "of another form";
    case "invalid_format":
      return issue.format === "datetime" ? "a time like 2026-01-31T12:00:00Z" : "of another form";
    default:
      return "of another form";
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function unit(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" ? " entries" : "";
}
