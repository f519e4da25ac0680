import { isNode, LineCounter, parseAllDocuments } from "yaml";
import { ConfigError } from "../error.ts";
import type { KeyPath, LineOf } from "./mistakes.ts";

/** One YAML document as plain values, and where its parts lie in the text. */
interface YamlDocument {
  readonly value: unknown;
  readonly lineOf: LineOf;
}

/** The largest file that is read, in characters. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/**
 * Reads every document of a YAML text. Empty documents are left out.
 *
 * @throws {ConfigError} With every syntax error in it.
 */
export function parseYaml(text: string, file: string): YamlDocument[] {
  if (text.length > MAX_CHARACTERS) {
    const found = `${text.length} characters`;
    throw new ConfigError(file, [{
      path: "",
      found,
      expected: `at most ${MAX_CHARACTERS} characters`,
    }]);
  }
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  if ("empty" in parsed) return [];
  const errors = parsed.flatMap((document) => [...document.errors]);
  if (errors.length > 0) {
    throw new ConfigError(
      file,
      errors.map(({ pos, message }) => ({
        path: "",
        found: `broken YAML on line ${lineCounter.linePos(pos[0]).line}`,
        expected: `YAML (${message})`,
      })),
    );
  }
  return parsed.filter((document) => document.contents !== null).map((document) => ({
    value: toPlain(document, file),
    lineOf: (path) => lineOf(document, path, lineCounter),
  }));
}

type Document = Extract<ReturnType<typeof parseAllDocuments>, readonly unknown[]>[number];

/** Aliases are followed, but not so far that a small file becomes a large value. */
function toPlain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : "aliases";
    throw new ConfigError(file, [{ path: "", found, expected: "at most 100 aliases" }], { cause });
  }
}

/** The line of a value, or of the nearest thing around it that is in the text. */
function lineOf(document: Document, path: KeyPath, lines: LineCounter): number | null {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return null;
}
