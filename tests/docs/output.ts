/**
 * Whether a command printed what the page shows. Values that differ from run to run stand for their kind; in the
 * page, `…` stands for anything within a line, and alone on a line for any number of lines.
 *
 * @module
 */

const KINDS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME"],
  [/sha256:[0-9a-f]{64}/g, "PIN"],
  [/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, "ID"],
  [/\b(?:[0-9a-f]{1,4}:){2,7}(?::(?=[\s/,]|$)|(?::?[0-9a-f]{1,4})*)(\/\d+)?/g, "IPV6"],
  [/\b\d{1,3}(\.\d{1,3}){3}\b/g, "IPV4"],
  [/\((\d{4}-\d\d-\d\d )?\d\d:\d\d\)/g, "(CLOCK)"],
  [/\b\d+(\.\d+)? (d|h|min|ms|s)\b( \d+ (h|min|s)\b)?/g, "DURATION"],
  [/\b(\d+(d|h|m|s))+\b/g, "DURATION"],
  [/\bpid \d+/g, "pid N"],
  [/\bport \d{5}\b/g, "port N"],
  [/:\d{5}\b/g, ":N"],
  [/[ \t]+/g, " "],
];

/** Says where the output leaves the page; `null` if it does not. */
export function differenceOf(shown: readonly string[], printed: string): string | null {
  const wanted = plainLines(shown.join("\n"));
  const found = plainLines(printed);
  if (matches(wanted, found)) return null;
  return `the page shows\n${wanted.join("\n")}\nbut it printed\n${found.join("\n")}`;
}

function plainLines(text: string): string[] {
  const lines = text.split("\n").map((line) =>
    KINDS.reduce((plain, [pattern, name]) => plain.replaceAll(pattern, name), line).trim()
  );
  return lines.filter((line) => line !== "");
}

function matches(wanted: readonly string[], found: readonly string[]): boolean {
  const [first, ...rest] = wanted;
  if (first === undefined) return found.length === 0;
  if (first === "…") {
    return Array.from({ length: found.length + 1 }, (_, skipped) => skipped)
      .some((skipped) => matches(rest, found.slice(skipped)));
  }
  const [line, ...below] = found;
  return line !== undefined && lineForm(first).test(line) && matches(rest, below);
}

function lineForm(line: string): RegExp {
  return new RegExp(`^${line.split("…").map(RegExp.escape).join(".*")}$`);
}
