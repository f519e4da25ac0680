/**
 * What a block of commands in a page says about itself, in a comment before it that readers do not see:
 *
 *     <!-- run: alice -->                  a test types it as alice
 *     <!-- run: admin, stays -->           it goes on running
 *     <!-- run: alice, last -->            after all pages: it takes away what others need
 *     <!-- run: alice, types password -->  it asks, and that is the answer
 *     <!-- run: alice, ends 1 -->          its exit status
 *     <!-- file: admin /etc/x.yaml -->     not commands but a file, which the reader writes there
 *     <!-- not run: why -->
 *
 * @module
 */
import { type Block, blocksOf, type Page } from "./pages.ts";

/**
 * Who types a block, and where. Hosts of the lab are typed into by tests/lab/install/guides_test.ts; `machine` is one with
 * nothing but Node, which tests/walk/walk.ts makes, where `clone` is typed as well.
 */
export const PLACES = ["machine", "clone", "admin", "agent", "alice"] as const;
export type PlaceName = (typeof PLACES)[number];

/** What is typed when a command asks. */
export type Answer = "password" | "token";

export type Mark =
  | {
    readonly kind: "run";
    readonly place: PlaceName;
    readonly stays: boolean;
    readonly last: boolean;
    readonly types: Answer | null;
    readonly status: number;
  }
  | { readonly kind: "file"; readonly place: PlaceName; readonly path: string }
  | { readonly kind: "not run"; readonly reason: string };

/** A block with its mark; `null` if it has none. */
export interface MarkedBlock extends Block {
  readonly page: string;
  readonly mark: Mark | null;
}

/** Languages whose blocks are commands. */
export const COMMANDS: ReadonlySet<string> = new Set(["sh", "bash", "console"]);

/**
 * The blocks of a page, each with the mark above it.
 *
 * @throws SyntaxError for a mark that says nothing known.
 */
export function markedBlocks(page: Page): MarkedBlock[] {
  const lines = page.text.split("\n");
  return blocksOf(page.text).map((block) => {
    // The text begins on the line after the fence; an empty line may be above the fence.
    const above = lines.slice(0, block.line - 2).findLast((line) => line.trim() !== "") ?? "";
    const comment = /^<!--\s*((?:not run|run|file):.*?)\s*-->$/.exec(above)?.[1];
    const mark = comment === undefined
      ? null
      : parseMark(comment, `${page.path}:${block.line - 1}`);
    return { ...block, page: page.path, mark };
  });
}

/** One command of a block, and what the page says it prints: `null` if it says nothing. */
export interface Command {
  readonly text: string;
  readonly line: number;
  readonly output: readonly string[] | null;
}

/** The commands of a block. In a console they stand behind a prompt, and their output follows. */
export function commandsOf(block: Block): Command[] {
  const commands: Command[] = [];
  const isConsole = block.language === "console";
  let open: { text: string; line: number } | null = null;
  block.text.split("\n").forEach((line, i) => {
    const typed = open !== null ? line : isConsole ? promptless(line) : line;
    if (typed === null) {
      const last = commands.pop();
      if (last === undefined) throw new SyntaxError(`Output before a command: ${line}`);
      commands.push({ ...last, output: [...last.output ?? [], line] });
      return;
    }
    const begun = open ?? { text: "", line: block.line + i };
    const text = `${begun.text}${typed.replace(/\\$/, "").trim()} `;
    open = typed.endsWith("\\") ? { ...begun, text } : null;
    if (open === null && !/^(#.*)?$/.test(text.trim())) {
      commands.push({ text: text.trim(), line: begun.line, output: null });
    }
  });
  return commands;
}

function promptless(line: string): string | null {
  return line.startsWith("$ ") ? line.slice(2) : null;
}

function parseMark(text: string, where: string): Mark {
  const [, kind = "", rest = ""] = /^([a-z ]+):\s*(.*)$/.exec(text) ?? [];
  if (kind === "not run") return { kind, reason: rest };
  const [first = "", ...more] = rest.split(kind === "file" ? /\s+/ : /\s*,\s*/);
  const place = PLACES.find((name) => name === first);
  if (place === undefined) throw new SyntaxError(`${where}: nobody is called "${first}"`);
  if (kind === "file") return { kind, place, path: more[0] ?? "" };
  const value = (word: string) => more.find((part) => part.startsWith(`${word} `))?.split(" ")[1];
  const unknown = more.filter((part) =>
    !/^(stays|last|types (password|token)|ends \d+)$/.test(part)
  );
  if (unknown.length > 0) throw new SyntaxError(`${where}: nobody knows "${unknown.join(", ")}"`);
  return {
    kind: "run",
    place,
    stays: more.includes("stays"),
    last: more.includes("last"),
    types: (value("types") ?? null) as Answer | null,
    status: Number(value("ends") ?? 0),
  };
}
