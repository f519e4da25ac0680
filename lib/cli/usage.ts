/**
 * What a person reads whose command line was not understood.
 *
 * @module
 */

/** Gives the help text of a command; empty when there is no such command. */
type HelpOf = (command: readonly string[]) => string;

/** One line that says what is wrong, one that says what to do. */
export function describeUsage(text: string, args: readonly string[], helpOf: HelpOf): string {
  const [complaint = text, advice = ""] = text.replaceAll("`", '"').split("\n\n");
  const command = knownWords(args, helpOf);
  const problem = problemOf(complaint.replace(/\.$/, ""), args, command);
  const likely = [...advice.matchAll(/"([^"]+)"/g)].map(([, word = ""]) => word)
    .filter((word) => names(helpOf(command), word));
  const meant = likely.length === 0 ? "" : `Did you mean ${likely.map(quote).join(" or ")}? `;
  return `error: ${problem} [usage]\nhint: ${meant}${helpHint(args, helpOf)}\n`;
}

/** What helps with a command line that a command itself refused. */
export function helpHint(args: readonly string[], helpOf: HelpOf): string {
  return `Run \`${["vnet help", ...knownWords(args, helpOf)].join(" ")}\``;
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
  args: readonly string[],
  command: readonly string[],
): string {
  const asked = args.indexOf("help");
  if (asked !== -1 && complaint.startsWith("Unexpected option or ")) {
    return `There is no command ${quote(args.slice(asked + 1).join(" "))}`;
  }
  if (complaint.endsWith('"completions"')) return "Completions are for bash, zsh or fish";
  if (/^(No matching|Command .* was not matched)/.test(complaint)) {
    return command.length === 0
      ? "No command was given"
      : `${quote(command.join(" "))} needs another word after it`;
  }
  const [, option] = /^"(--[a-z-]+)" cannot be used multiple times$/.exec(complaint) ?? [];
  if (option !== undefined && args.filter((arg) => arg === option).length === 1) {
    return `Option "${option}" needs a value`;
  }
  return complaint;
}

function names(help: string, word: string): boolean {
  return help.split(/[\s,()|[\]]+/).includes(word);
}

function quote(word: string): string {
  return `"${word}"`;
}
