/**
 * What a person reads whose command line was not understood.
 *
 * @module
 */

import { EXAMPLES } from "./examples.ts";

/** Gives the help text of a command; empty when there is no such command. */
type HelpOf = (command: readonly string[]) => string;

/** One line that says what is wrong, one that says what to do. */
export function describeUsage(text: string, args: readonly string[], helpOf: HelpOf): string {
  const [complaint = text, advice = ""] = text.replaceAll("`", '"').split("\n\n");
  const command = knownWords(args, helpOf);
  const problem = problemOf(complaint.replace(/\.$/, ""), { args, command, helpOf });
  const likely = [...advice.matchAll(/"([^"]+)"/g)].map(([, word = ""]) => word)
    .filter((word) => names(helpOf(command), word));
  const meant = likely.length === 0 ? "" : `Did you mean ${likely.map(quote).join(" or ")}? `;
  return `error: ${problem} [usage]\nhint: ${meant}${helpHint(args, helpOf)}\n`;
}

/** What helps with a command line that a command itself refused. */
export function helpHint(args: readonly string[], helpOf: HelpOf): string {
  const command = knownWords(args, helpOf).join(" ");
  const example = EXAMPLES[command];
  const help = `Run \`${`vnet help ${command}`.trim()}\``;
  return example === undefined ? help : `${help}, or for example \`${example}\``;
}

/** The words of a command line that name a command: `ctl users` of `ctl users add-alice`. */
function knownWords(args: readonly string[], helpOf: HelpOf): readonly string[] {
  const words = args.filter((arg) => /^[a-z]/.test(arg));
  const known: string[] = [];
  for (const word of words[0] === "help" ? words.slice(1) : words) {
    const deeper = [...known, word];
    const text = helpOf(deeper);
    if (text === "" || text === helpOf(known)) break;
    known.push(word);
  }
  return known;
}

/** Says some things plainer than the parser, which does not know what they mean. */
function problemOf(
  complaint: string,
  { args, command, helpOf }: {
    readonly args: readonly string[];
    readonly command: readonly string[];
    readonly helpOf: HelpOf;
  },
): string {
  const asked = args.indexOf("help");
  if (asked !== -1 && complaint.startsWith("Unexpected option or ")) {
    return `There is no command ${quote(args.slice(asked + 1).join(" "))}`;
  }
  if (complaint.endsWith('"completions"')) return "Completions are for bash, zsh or fish";
  if (/^(No matching|Command .* was not matched)/.test(complaint)) {
    const [, argument] = /^ {2}([A-Z]\S*) /m.exec(helpOf(command)) ?? [];
    if (argument !== undefined && EXAMPLES[command.join(" ")] !== undefined) {
      return `Missing argument ${argument}${meaningOf(argument, helpOf(command))}`;
    }
    return command.length === 0
      ? "No command was given"
      : `${quote(command.join(" "))} needs another word after it`;
  }
  const missing = missingIn(complaint, helpOf(command));
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
  const [, option] = /^"(--[a-z-]+)" cannot be used multiple times$/.exec(complaint) ?? [];
  if (option !== undefined && args.filter((arg) => arg === option).length === 1) {
    return `Option "${option}" needs a value`;
  }
  return complaint;
}

/** Names what was left out, with what the help says of it; `null` if something else is wrong. */
function missingIn(complaint: string, help: string): string | null {
  const [, metavar] = /^Expected a "(.+)", but too few arguments$/.exec(complaint) ?? [];
  if (metavar !== undefined) return `Missing argument ${metavar}${meaningOf(metavar, help)}`;
  if (/^Expected at least \d+ values?, but got only 0$/.test(complaint)) {
    const [, option] = /^Usage: .*?(--[a-z-]+ \S+?)(?:\.\.\.|\s|$)/m.exec(help) ?? [];
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

function names(help: string, word: string): boolean {
  return help.split(/[\s,()|[\]]+/).includes(word);
}

function quote(word: string): string {
  return `"${word}"`;
}
