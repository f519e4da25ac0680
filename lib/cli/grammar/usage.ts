/**
 * What a person reads whose command line was not understood.
 *
 * @module
 */

import { EXAMPLES } from "./examples.ts";

/** What commands there are, and what they take. */
export interface CommandTree {
  /** The commands right below one; none below one that does something. */
  readonly commandsBelow: (command: readonly string[]) => readonly string[];
  readonly optionsOf: (command: readonly string[]) => readonly string[];
  /** Its help, for 80 columns. */
  readonly helpOf: (command: readonly string[]) => string;
}

/** The words of a command line that name a command, and the first that names none where a command must stand. */
interface Words {
  readonly command: readonly string[];
  /** `null` if every word was understood. */
  readonly unknown: string | null;
}

/** Options that may stand before a command and take a value. */
const WITH_VALUE: readonly string[] = ["--home", "--config"];

/** One line that says what is wrong, one that says what to do. */
export function describeUsage(text: string, args: readonly string[], tree: CommandTree): string {
  const [complaint = text, advice = ""] = text.replaceAll("`", '"').split("\n\n");
  const words = readWords(args, tree);
  const problem = problemOf(complaint.replace(/\.$/, ""), args, words, tree);
  const there = [...tree.commandsBelow(words.command), ...tree.optionsOf(words.command)];
  const likely = [...advice.matchAll(/"([^"]+)"/g)].map(([, word = ""]) => word)
    .filter((word) => there.includes(word));
  return tellUsage(problem, words.command, likely);
}

/** The same for words that were to name a command and do not. */
export function describeUnknown(words: Words): string {
  const { command, unknown } = words;
  return tellUsage(`There is no command ${quote([...command, unknown ?? ""].join(" "))}`, command);
}

/** What helps with a command line that a command itself refused. */
export function helpHint(args: readonly string[], tree: CommandTree): string {
  return runHelp(readWords(args, tree).command);
}

/** Finds the command of a command line: `ctl users` of `ctl users add-alice`. */
export function readWords(
  args: readonly string[],
  tree: Pick<CommandTree, "commandsBelow">,
): Words {
  const command: string[] = [];
  let isValue = false;
  const words = args[0] === "help" ? args.slice(1) : args;
  for (const arg of words) {
    const below = tree.commandsBelow(command);
    if (below.length === 0 || arg === "--") break;
    if (isValue || arg.startsWith("-")) {
      isValue = !isValue && WITH_VALUE.includes(arg);
      continue;
    }
    if (!below.includes(arg)) return { command, unknown: arg };
    command.push(arg);
  }
  return { command, unknown: null };
}

function tellUsage(
  problem: string,
  command: readonly string[],
  likely: readonly string[] = [],
): string {
  const meant = likely.length === 0 ? "" : `Did you mean ${likely.map(quote).join(" or ")}? `;
  return `error: ${problem} [usage]\nhint: ${meant}${runHelp(command)}\n`;
}

function runHelp(command: readonly string[]): string {
  const help = `Run \`${["vnet help", ...command].join(" ")}\``;
  const example = EXAMPLES[command.join(" ")];
  return example === undefined ? help : `${help}, or for example \`${example}\``;
}

/** Says some things plainer than the parser, which does not know what they mean. */
function problemOf(
  complaint: string,
  args: readonly string[],
  { command, unknown }: Words,
  tree: CommandTree,
): string {
  const isAboutOption = /"-/.test(complaint);
  if (unknown !== null && !isAboutOption) {
    return `There is no command ${quote([...command, unknown].join(" "))}`;
  }
  if (command[0] === "completions" && !isAboutOption) {
    return "Completions are for bash, zsh or fish";
  }
  const below = tree.commandsBelow(command);
  if (below.length > 0 && !isAboutOption) {
    return command.length === 0
      ? "No command was given"
      : `${quote(command.join(" "))} needs a command after it: ${below.join(", ")}`;
  }
  const missing = missingIn(complaint, tree.helpOf(command));
  if (missing !== null) return missing;
  const [, flag, limit] = /^"(--[a-z-]+)": Must be (.*)$/.exec(complaint) ?? [];
  if (flag !== undefined) return `Option ${flag} must be ${limit}`;
  const [, named, least, bound, given] =
    /^"(--[a-z-]+)": Expected a value (greater|less) than or equal to (\S+), but got "(.*)"$/
      .exec(complaint) ?? [];
  if (named !== undefined) {
    return `Option ${named} must be ${
      least === "greater" ? "at least" : "at most"
    } ${bound}, not "${given}"`;
  }
  const [, extra] = /^Unexpected option or (?:sub)?(?:command|argument): "([^-"][^"]*)"$/
    .exec(complaint) ?? [];
  if (extra !== undefined) return `${quote(command.join(" "))} takes no argument ${quote(extra)}`;
  const [, option] = /^"(--[a-z-]+)" cannot be used multiple times$/.exec(complaint) ?? [];
  if (option !== undefined && args.filter((arg) => arg === option).length === 1) {
    return `Option "${option}" needs a value`;
  }
  return complaint;
}

/** Names what was left out, with what the help says of it; `null` if something else is wrong. */
function missingIn(complaint: string, help: string): string | null {
  if (/^(No matching|Command .* was not matched)/.test(complaint)) {
    const [, argument] = /^ {2}([A-Z]\S*) /m.exec(help) ?? [];
    return argument === undefined
      ? null
      : `Missing argument ${argument}${meaningOf(argument, help)}`;
  }
  const [, metavar] = /^Expected a "(.+)", but too few arguments$/.exec(complaint) ?? [];
  if (metavar !== undefined) return `Missing argument ${metavar}${meaningOf(metavar, help)}`;
  if (/^Expected at least \d+ values?, but got only 0$/.test(complaint)) {
    const usage = (/^Usage: .*(?:\n .*)*/m.exec(help)?.[0] ?? "").replaceAll(/\s\[[^\]]*\]/g, "");
    const [, rest] = /\s(-- [A-Z]+)\.\.\./.exec(usage) ?? [];
    if (rest !== undefined) return `Missing argument ${rest}${meaningOf(rest, help)}`;
    const [, option] = /(--[a-z-]+ \S+?)(?:\.\.\.|\s|$)/.exec(usage) ?? [];
    return option === undefined ? null : `Missing option ${option}${meaningOf(option, help)}`;
  }
  return null;
}

/** What the help's list says of an argument or option, in a line. */
function meaningOf(term: string, help: string): string {
  const lines = help.split("\n");
  const at = lines.findIndex((line) => line.startsWith(`  ${term} `));
  if (at === -1) return "";
  const more = lines.slice(at + 1).findIndex((line) => !line.startsWith("      "));
  const text = [lines[at]!.slice(term.length + 2), ...lines.slice(at + 1, at + 1 + more)]
    .map((line) => line.trim()).join(" ").replace(/\.$/, "");
  return `: ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

function quote(word: string): string {
  return `"${word}"`;
}
