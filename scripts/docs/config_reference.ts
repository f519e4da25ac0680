/**
 * Writes docs/configuration.md: every key of the two files and of the resources.
 *
 *   deno run -A scripts/docs/config_reference.ts          writes the page
 *   deno run -A scripts/docs/config_reference.ts --check  says whether it is up to date
 *
 * Which keys there are, what each expects and whether it is required is asked of the readers themselves, by
 * giving them mistakes. What a key means stands in config_keys.ts; a key without words, words without a key and a
 * default that is none are errors.
 *
 * @module
 */
import { deepEqual } from "node:assert/strict";
import { parse, stringify } from "yaml";
import { ConfigError, type ConfigMistake } from "../../lib/error.ts";
import { formatPath, type KeyPath } from "../../lib/config/mistakes.ts";
import { INTRODUCTION, PARTS } from "./config_keys.ts";

/** One thing that is written: a file or a kind of resource. */
export interface Part {
  readonly title: string;
  readonly text: string;
  /** A whole one, as people write it. */
  readonly example: string;
  /** Reads it; two texts that mean the same give the same. @throws ConfigError */
  readonly read: (text: string) => unknown;
  /** What each key means. A path ends with `[]` for each entry of a list and `*` for any key. */
  readonly keys: Readonly<Record<string, KeyWords>>;
}

export interface KeyWords {
  readonly text: string;
  /** What may be written there, where the reader says it for all kinds at once. */
  readonly expected?: string;
  /** What it is when it is not given. */
  readonly default?: unknown;
}

/** A key as its reader knows it. */
export interface Key {
  readonly path: string;
  /** What may be written there, in the reader's own words. */
  readonly expected: string;
  readonly isRequired: boolean;
}

type Value = { [key: string]: Value } | Value[] | string | number | boolean | null | undefined;

const UNKNOWN = "unknown-key";
const WRONG: Value = { [UNKNOWN]: 0 };

/** Asks a reader for every key it knows. */
export function findKeys(part: Part): Key[] {
  const example: Value = parse(part.example);
  return knownKeys(part, example, []).flatMap((key) => keysBelow(part, example, [key]));
}

function keysBelow(part: Part, example: Value, path: KeyPath): Key[] {
  const wrong = setAt(example, path, WRONG);
  const children = knownKeys(part, wrong, path);
  const own = { path: pathText(path), isRequired: isRequired(part, example, path) };
  if (children.length > 0) {
    const below = children.flatMap((key) => keysBelow(part, example, [...path, key]));
    return [{ ...own, expected: "an object" }, ...below];
  }
  const mistakes = mistakesOf(part, wrong);
  const words = (of: KeyPath) =>
    mistakes.find((mistake) => mistake.path === formatPath(of))?.expected;
  const any = words([...path, UNKNOWN]);
  if (any !== undefined) return [{ ...own, expected: `an object; each key: ${any}` }];
  if (words([...path, 0]) !== undefined) {
    const none = mistakesOf(part, setAt(example, path, []));
    return [{
      ...own,
      expected: none.find(({ path: at }) => at === formatPath(path))?.expected ?? "",
    }];
  }
  const expected = words(path);
  if (expected === undefined) throw new TypeError(`Nothing is wrong with ${pathText(path)}`);
  return expected === "a list" ? listKeys(part, example, path) : [{ ...own, expected }];
}

function listKeys(part: Part, example: Value, path: KeyPath): Key[] {
  const entry = [...path, 0];
  const own = { path: pathText(path), isRequired: isRequired(part, example, path) };
  const wrong = setAt(example, path, [WRONG]);
  const children = knownKeys(part, wrong, entry);
  if (children.length === 0) {
    const words = mistakesOf(part, wrong).find((mistake) => mistake.path === formatPath(entry));
    return [{ ...own, expected: `a list; each entry: ${words?.expected ?? ""}` }];
  }
  const below = children.flatMap((key) => keysBelow(part, example, [...entry, key]));
  return [{ ...own, expected: "a list of objects" }, ...below];
}

/** The keys of an object; none if something else stands there. */
function knownKeys(part: Part, document: Value, path: KeyPath): string[] {
  const at = [...path, UNKNOWN];
  const found = mistakesOf(part, setAt(document, at, 0)).find((mistake) =>
    mistake.path === formatPath(at) && mistake.found.startsWith("unknown key")
  );
  return found?.expected.replace("one of ", "").split(", ") ?? [];
}

function isRequired(part: Part, example: Value, path: KeyPath): boolean {
  const without = mistakesOf(part, setAt(example, path, undefined));
  const places = [formatPath(path), formatPath([...path, 0])]; // Of one or a list of them, the first is missing
  return without.some((mistake) => places.includes(mistake.path));
}

function mistakesOf(part: Part, document: Value): readonly ConfigMistake[] {
  try {
    part.read(stringify(document));
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.mistakes;
    throw thrown;
  }
}

/** A copy of a document with one value other; `undefined` takes it away. What is missing on the way is made. */
function setAt(document: Value, path: KeyPath, value: Value): Value {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof key === "number") {
    const list = Array.isArray(document) ? [...document] : [];
    list[key] = setAt(list[key], rest, value);
    return list;
  }
  const object = typeof document === "object" && document !== null && !Array.isArray(document)
    ? { ...document }
    : {};
  object[String(key)] = setAt(object[String(key)], rest, value);
  if (object[String(key)] === undefined) delete object[String(key)];
  return object;
}

function pathText(path: KeyPath): string {
  return formatPath(path).replaceAll("[0]", "[]");
}

/** Says what is wrong with the words about a part's keys. */
export function checkPart(part: Part, keys: readonly Key[]): string[] {
  const example: Value = parse(part.example);
  const known = new Set(keys.map(({ path }) => path));
  const silent = keys.filter(({ path }) => part.keys[path] === undefined)
    .map(({ path }) => `${part.title}: nothing is said about ${path}`);
  const gone = Object.keys(part.keys).filter((path) => !known.has(path))
    .map((path) => `${part.title}: there is no key ${path}`);
  const wrong = Object.entries(part.keys).filter(([path, words]) =>
    words.default !== undefined && known.has(path) && !isDefault(part, example, path, words.default)
  ).map(([path]) => `${part.title}: the default of ${path} is another`);
  return [...silent, ...gone, ...wrong];
}

function isDefault(part: Part, example: Value, text: string, value: unknown): boolean {
  const path = text.split(".").flatMap((key) => key.endsWith("[]") ? [key.slice(0, -2), 0] : [key]);
  const read = (document: Value) => part.read(stringify(document));
  try {
    deepEqual(read(setAt(example, path, undefined)), read(setAt(example, path, value as Value)));
    return true;
  } catch (thrown) {
    if (thrown instanceof ConfigError || (thrown as Error).name === "AssertionError") return false;
    throw thrown;
  }
}

/** Writes the page. @throws TypeError when the words do not fit the readers. */
export function renderReference(parts: readonly Part[]): string {
  const sections = parts.map((part) => {
    const keys = findKeys(part);
    const wrong = checkPart(part, keys);
    if (wrong.length > 0) throw new TypeError(wrong.join("\n"));
    part.read(part.example);
    const rows = keys.map((key) => renderRow(key, part.keys[key.path]!));
    return [
      `## ${part.title}`,
      part.text,
      [
        "| key | what it is | what may be written | default |",
        "| --- | --- | --- | --- |",
        ...rows,
      ]
        .join("\n"),
      `\`\`\`yaml\n${part.example.trim()}\n\`\`\``,
    ].join("\n\n");
  });
  return [INTRODUCTION.trim(), ...sections].join("\n\n") + "\n";
}

function renderRow(key: Key, words: KeyWords): string {
  const absent = key.isRequired
    ? "required"
    : words.default === undefined
    ? "—"
    : `\`${JSON.stringify(words.default)}\``;
  const expected = (words.expected ?? key.expected).replaceAll("*", "\\*");
  const cells = [`\`${key.path}\``, words.text, expected, absent];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** Puts a page in the form `deno fmt` gives it. */
export async function format(page: string): Promise<string> {
  const root = new URL("../..", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(page));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new TypeError("deno fmt failed");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const path = new URL("../../docs/configuration.md", import.meta.url).pathname;
  const page = await format(renderReference(PARTS));
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(path, page);
  else if (await Deno.readTextFile(path) !== page) {
    Deno.stderr.writeSync(new TextEncoder().encode("docs/configuration.md is not up to date\n"));
    Deno.exit(1);
  }
}
