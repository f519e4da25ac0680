/**
 * The command lines of vnet in a text, and whether the program understands them. Nothing is run.
 *
 * @module
 */
import { formatMessage } from "@optique/core/message";
import { parseSync } from "@optique/core/parser";
import { extractCommandNames } from "@optique/core/usage";
import { commandsBelow } from "../../lib/cli/grammar/help.ts";
import { PARSER } from "../../lib/cli/grammar/parser.ts";
import { renderTopic } from "../../lib/cli/topics/topics.ts";
import { readWords } from "../../lib/cli/grammar/usage.ts";

const TERMINAL = { columns: 80, ascii: false };

/** Arguments of one `vnet …` in a line of shell. */
export type Arguments = readonly string[];

/**
 * Finds the calls of vnet in one line of shell: at its beginning, behind `sudo`, in a pipe, after `&&`.
 *
 * @throws SyntaxError for quotes that do not end.
 */
export function callsIn(line: string): Arguments[] {
  const calls: string[][] = [];
  for (const words of splitCommands(line)) {
    let at = 0;
    while (/^[A-Z_]+=/.test(words[at] ?? "") || words[at] === "sudo" || words[at] === "-E") at++;
    if (words[at] === "vnet") calls.push(words.slice(at + 1));
  }
  return calls;
}

/** Says what the program would say against the arguments; `null` if it understands them. */
export function complaintOf(args: Arguments): string | null {
  const { unknown } = readWords(args, { commandsBelow });
  // Some commands help does not list.
  const isHidden = extractCommandNames(PARSER.usage, true).has(unknown ?? "");
  if (args[0] === "help" && renderTopic(args.slice(1), TERMINAL) !== null) return null;
  if (unknown !== null && !isHidden) return `There is no command "${unknown}"`;
  if (args.length === 0 || args.includes("-h") || args.includes("--help")) return null;
  const parsed = parseSync(PARSER, args);
  return parsed.success ? null : formatMessage(parsed.error);
}

const WORD = /\s*(?:(#.*)|(&&|\|\||[|;&<>]+)|((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\|;&<>])+))/y;

function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  WORD.lastIndex = 0;
  while (/\S/.test(line.slice(WORD.lastIndex))) {
    const found = WORD.exec(line);
    if (found === null) throw new SyntaxError(`Cannot read the shell line ${line}`);
    const [, comment, operator, word] = found;
    if (comment !== undefined) break;
    if (operator !== undefined) commands.push([]);
    else if (word !== undefined) commands.at(-1)!.push(unquote(word));
  }
  return commands;
}

function unquote(word: string): string {
  return word.replace(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g,
    (_whole, double, single, escaped) => double?.replace(/\\(["\\$`])/g, "$1") ?? single ?? escaped,
  );
}
