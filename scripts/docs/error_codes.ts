/**
 * Lists every error code in the sources and where it is said: what the table in lib/refusal has to have.
 *
 *   deno run --allow-read scripts/docs/error_codes.ts
 *
 * A code is a text that stands where codes stand: the first argument of an error of ours, a value called `code`,
 * the argument of a function that calls it so, a part of a type called `…Code` or `…Refusal`, a key of a table
 * such a type is made from. The table of lib/refusal itself does not count: it says what codes mean, not when. Comparisons with a code do not count: they read what somebody else writes.
 *
 * @module
 */

const CODE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** Texts that stand where codes stand and are none: zod's own, and the name of the field itself. */
const FOREIGN: ReadonlySet<string> = new Set(["custom", "code"]);

/** The folder whose codes nobody says yet. */
const TABLE = /^refusal\//;

/** A code and the files that say it, sorted. */
export interface FoundCode {
  readonly code: string;
  readonly files: readonly string[];
}

type Token =
  | { readonly kind: "word" | "mark"; readonly text: string }
  | { readonly kind: "text"; readonly text: string };

const TOKEN =
  /\/\/[^\n]*|\/\*[^]*?\*\/|"((?:[^"\\\n]|\\.)*)"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|([A-Za-z_$][\w$]*)|=>|===|!==|\?\?|\?\.|[^\s]/g;

/** Cuts a source into tokens, without comments. Regular expressions are no matter: no code stands in one. */
function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (const [whole, text, word] of source.matchAll(TOKEN)) {
    if (whole.startsWith("//") || whole.startsWith("/*")) continue;
    if (text !== undefined) tokens.push({ kind: "text", text });
    else if (word !== undefined) tokens.push({ kind: "word", text: word });
    else tokens.push({ kind: "mark", text: whole });
  }
  return tokens;
}

const OPENING = new Set(["(", "[", "{"]);
const CLOSING = new Set([")", "]", "}"]);

/** The tokens from `start` to the end of the expression or type there: a comma, a semicolon, a bracket's end. */
function expression(tokens: readonly Token[], start: number): readonly Token[] {
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    if (kind !== "mark") continue;
    if (OPENING.has(text)) depth++;
    else if (CLOSING.has(text) && depth-- === 0) return tokens.slice(start, i);
    else if (depth === 0 && (text === "," || text === ";" || text === "=>")) {
      return tokens.slice(start, i);
    }
  }
  return tokens.slice(start);
}

/** The arguments or parameters of a list whose bracket opens at `open`. */
function listAt(tokens: readonly Token[], open: number): (readonly Token[])[] {
  const parts: (readonly Token[])[] = [];
  for (let at = open + 1; at < tokens.length;) {
    const part = expression(tokens, at);
    if (part.length > 0) parts.push(part);
    at += part.length;
    if (tokens[at]?.text !== ",") break;
    at++;
  }
  return parts;
}

/** What may be a code in an expression: its texts, but not those it compares with. */
function codesIn(part: readonly Token[]): string[] {
  return part.flatMap((token, i) => {
    if (token.kind !== "text" || !CODE.test(token.text) || FOREIGN.has(token.text)) return [];
    const around = [part[i - 1]?.text, part[i + 1]?.text];
    return around.some((text) => text === "===" || text === "!==" || text === "[")
      ? []
      : [token.text];
  });
}

/** Which argument of a function is a code: the one its declaration calls so; `null` if none. */
type Takers = Map<string, number | null>;

/** Where the type parameters that may begin at `start` end. */
function afterTypes(tokens: readonly Token[], start: number): number {
  if (tokens[start]?.text !== "<") return start;
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    if (tokens[i]!.text === "<") depth++;
    else if (tokens[i]!.text === ">" && --depth === 0) return i + 1;
  }
  return start;
}

/** Reads what a file declares; exported functions are told to everybody. */
function collectTakers(tokens: readonly Token[], everywhere: Takers): Takers {
  const here: Takers = new Map();
  tokens.forEach((token, i) => {
    const isArrow = token.text === "const" && tokens[i + 2]?.text === "=";
    const isMethod = token.text === "#" && tokens[i - 1]?.text !== ".";
    const name = tokens[i + 1];
    const open = afterTypes(tokens, i + (isArrow ? 3 : 2));
    if (token.text !== "function" && !isArrow && !isMethod) return;
    if (name?.kind !== "word" || tokens[open]?.text !== "(") return;
    const index = listAt(tokens, open).findIndex((part) =>
      part[0]?.text === "code" && part[1]?.text === ":"
    );
    here.set(name.text, index < 0 ? null : index);
    if (tokens[i - 1]?.text === "export") everywhere.set(name.text, index < 0 ? null : index);
  });
  return here;
}

/** The classes of errors of ours: what extends VnetError, directly or not. */
function collectErrors(all: readonly (readonly Token[])[]): Set<string> {
  const errors = new Set(["VnetError"]);
  for (let before = 0; before !== errors.size;) {
    before = errors.size;
    for (const tokens of all) {
      tokens.forEach((token, i) => {
        const name = tokens[i + 1]?.text;
        if (token.text !== "class" || tokens[i + 2]?.text !== "extends" || name === undefined) {
          return;
        }
        if (errors.has(tokens[i + 3]?.text ?? "")) errors.add(name);
      });
    }
  }
  return errors;
}

/** The keys of a table, or the entries of a set, that is declared with this name. */
function keysOf(tokens: readonly Token[], name: string): string[] {
  const at = tokens.findIndex((token, i) => token.text === "const" && tokens[i + 1]?.text === name);
  const open = tokens.findIndex((token, i) => i > at && (token.text === "{" || token.text === "["));
  if (at < 0 || open < 0) return [];
  return listAt(tokens, open).flatMap(([key]) =>
    key !== undefined && key.kind !== "mark" && CODE.test(key.text) ? [key.text] : []
  );
}

function codesOf(
  tokens: readonly Token[],
  takers: Takers,
  errors: ReadonlySet<string>,
): string[] {
  return tokens.flatMap((token, i): string[] => {
    if (token.kind !== "word") return [];
    const [next, after] = [tokens[i + 1]?.text, tokens[i + 2]?.text];
    if (
      token.text === "code" && (next === ":" || next === "=" || (next === "?" && after === ":"))
    ) {
      return codesIn(expression(tokens, next === "?" ? i + 3 : i + 2));
    }
    if (token.text === "set" && tokens[i - 2]?.text.endsWith("findings")) {
      return codesIn(listAt(tokens, i + 1)[0] ?? []);
    }
    if (
      token.text === "type" && next !== undefined && /(Code|Refusal)$/.test(next) && after === "="
    ) {
      const body = expression(tokens, i + 3);
      const table = body[0]?.text === "keyof" ? body[2]?.text : undefined;
      return table === undefined ? codesIn(body) : keysOf(tokens, table);
    }
    if (next !== "(") return [];
    const isError = errors.has(token.text) && tokens[i - 1]?.text === "new";
    const isOwn = isError ||
      (token.text === "super" && tokens.some(({ text }) => text === "VnetError"));
    const index = isOwn ? 0 : takers.get(token.text) ?? null;
    return index === null ? [] : codesIn(listAt(tokens, i + 1)[index] ?? []);
  });
}

/** Finds the codes in sources, by the names of their files. */
export function findCodes(sources: ReadonlyMap<string, string>): FoundCode[] {
  const files = [...sources].map(([file, source]) => ({ file, tokens: tokenize(source) }));
  const everywhere: Takers = new Map();
  const takers = files.map(({ tokens }) => collectTakers(tokens, everywhere));
  const errors = collectErrors(files.map(({ tokens }) => tokens));
  const found = new Map<string, Set<string>>();
  files.forEach(({ file, tokens }, i) => {
    if (TABLE.test(file)) return;
    const known = new Map([...everywhere, ...takers[i]!]);
    for (const code of codesOf(tokens, known, errors)) {
      found.set(code, (found.get(code) ?? new Set()).add(file));
    }
  });
  return [...found].map(([code, where]) => ({ code, files: [...where].sort() }))
    .sort((a, b) => a.code < b.code ? -1 : 1);
}

/** Finds the codes in the TypeScript files below a folder. Tests and their folders do not count. */
export async function collectCodes(folder: string): Promise<FoundCode[]> {
  const sources = new Map<string, string>();
  for await (const path of walk(folder)) {
    sources.set(path.slice(folder.length + 1), await Deno.readTextFile(path));
  }
  return findCodes(sources);
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && name !== "testing" && name !== "netns") yield* walk(`${folder}/${name}`);
    else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) yield `${folder}/${name}`;
  }
}

if (import.meta.main) {
  const lines = (await collectCodes(new URL("../../lib", import.meta.url).pathname))
    .map(({ code, files }) => `${code.padEnd(28)} ${files.join(" ")}\n`);
  Deno.stdout.writeSync(new TextEncoder().encode(lines.join("")));
}
