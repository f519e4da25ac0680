/**
 * The help of every command, laid out for a terminal's width. What commands there are, the parser says.
 *
 * @module
 */
import type { DocEntry, DocPage, DocSection } from "@optique/core/doc";
import { formatMessage, type Message } from "@optique/core/message";
import { getDocPageSync } from "@optique/core/parser";
import type { Usage, UsageTerm } from "@optique/core/usage";
import { toAscii } from "../text/ascii.ts";
import type { Terminal } from "../context.ts";
import { fill } from "../text/fill.ts";
import { PARSER } from "./parser.ts";

const INDENT = 2;
/** Terms longer than this have their description below them. */
const MAX_TERM = 24;
const MIN_COLUMNS = 40;

const BRIEF = "Reach protected TCP apps by DNS name, with no configuration of their own.";
const FOOTER = "Run `vnet help COMMAND` for one command, `vnet help topics` for the guides.";

/** Writes the help of a command; the words must be those of one. */
export function renderHelp(command: readonly string[], terminal: Terminal): string {
  const page = pageOf(command);
  const width = Math.max(MIN_COLUMNS, terminal.columns);
  const blocks = [
    wrap(page.brief === undefined ? BRIEF : sentence(page.brief), width, 0),
    renderUsage(page, command, width),
    ...(page.description === undefined ? [] : [wrap(plain(page.description), width, 0)]),
    ...inOrder(page.sections).map((section) => renderSection(section, width)),
    ...(command.length === 0 ? [wrap(FOOTER, width, 0)] : []),
  ];
  const text = `${blocks.join("\n\n")}\n`;
  return terminal.ascii ? toAscii(text) : text;
}

/** The commands right below a command, as they are written; none below one that does something. */
export function commandsBelow(command: readonly string[]): readonly string[] {
  return pageOf(command).sections.flatMap(({ entries }) =>
    entries.flatMap(({ term }) => term.type === "command" ? [term.name] : [])
  );
}

/** The options that a command takes, those of every command among them. */
export function optionsOf(command: readonly string[]): readonly string[] {
  return pageOf(command).sections.flatMap(({ entries }) =>
    entries.flatMap(({ term }) => term.type === "option" ? term.names : [])
  );
}

/** What the parser says of a command. */
export function pageOf(command: readonly string[]): DocPage {
  const page = getDocPageSync(PARSER, command);
  if (page === undefined) throw new TypeError(`There is no help on "vnet ${command.join(" ")}"`);
  return page;
}

/** Commands and arguments first, then the command's own options, those of every command last. */
function inOrder(sections: readonly DocSection[]): readonly DocSection[] {
  const own = sections.filter(({ title }) => title === undefined).flatMap(({ entries }) => entries);
  const of = (type: string) => own.filter(({ term }) => term.type === type);
  return [
    { title: "Commands", entries: of("command") },
    { title: "Arguments", entries: of("argument") },
    { title: "Options", entries: of("option") },
    ...sections.filter(({ title }) => title !== undefined),
  ].filter(({ entries }) => entries.length > 0);
}

function renderUsage(page: DocPage, command: readonly string[], width: number): string {
  const below = commandsBelow(command);
  const own = below.length > 0
    ? ["COMMAND", ...(command.length === 0 ? ["[OPTION]..."] : [])]
    : (page.usage ?? []).slice(command.length).map((term) => renderTerm(term)).filter((term) =>
      term !== ""
    );
  const start = ["Usage: vnet", ...command].join(" ");
  return fill([start, ...own], width, Math.min(start.length + 1, 16));
}

function renderSection({ title, entries }: DocSection, width: number): string {
  const rows = entries.map((entry): [string, string] => [renderEntryTerm(entry), describe(entry)]);
  const terms = rows.map(([term]) => term.length).filter((length) => length <= MAX_TERM);
  const column = INDENT + Math.max(0, ...terms) + 2;
  const lines = rows.map(([term, text]) => {
    const left = `${" ".repeat(INDENT)}${term}`;
    if (text === "") return left;
    const right = wrap(text, width, column);
    return left.length + 2 > column
      ? `${left}\n${right}`
      : left.padEnd(column) + right.slice(column);
  });
  return [`${title}:`, ...lines].join("\n");
}

function renderEntryTerm({ term }: DocEntry): string {
  return term.type === "argument" ? term.metavar : renderTerm(term, "all");
}

function describe(entry: DocEntry): string {
  return [
    entry.description === undefined ? "" : description(entry.term, entry.description),
    entry.choices === undefined ? "" : `One of ${plain(entry.choices)}.`,
    entry.default === undefined ? "" : `Default: ${plain(entry.default)}.`,
  ].filter((text) => text !== "").join(" ");
}

/** Lists of commands have phrases, what a command takes has sentences. */
function description(term: UsageTerm, text: Message): string {
  return term.type === "command" ? plain(text) : sentence(text);
}

/** Writes one term of a usage line; it is not broken. Empty for what usage lines do not show. */
function renderTerm(term: UsageTerm, names: "all" | "one" = "one"): string {
  switch (term.type) {
    case "command":
      return term.name;
    case "literal":
      return term.value;
    case "argument":
      return term.hidden === true ? "" : term.metavar;
    case "option": {
      if (term.hidden !== undefined && term.hidden !== false) return "";
      const shown = names === "all" ? term.names.join(", ") : term.names.at(-1) ?? "";
      return term.metavar === undefined ? shown : `${shown} ${term.metavar}`;
    }
    case "optional": {
      const text = joined(term.terms);
      return text === "" ? "" : `[${text}]`;
    }
    case "multiple": {
      const text = joined(term.terms);
      if (text === "") return "";
      return term.min === 0 ? `[${text}]...` : `${text}...`;
    }
    case "exclusive": {
      const ways = term.terms.map(joined).filter((text) => text !== "");
      return ways.length < 2 ? ways.join("") : ways.join(" | ");
    }
    case "sequence":
      return joined(term.terms);
    case "ellipsis":
    case "passthrough":
      return "...";
  }
}

function joined(terms: Usage): string {
  return terms.map((term) => renderTerm(term)).filter((text) => text !== "").join(" ");
}

function plain(message: Message): string {
  return formatMessage(message, { quotes: false });
}

function sentence(message: Message): string {
  const text = plain(message);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Breaks a text between words, every line set in. */
function wrap(text: string, width: number, indent: number): string {
  const lines = text.split("\n").map((line) => fill(line.split(" "), width - indent, 0));
  return lines.join("\n").split("\n").map((line) => `${" ".repeat(indent)}${line}`.trimEnd())
    .join("\n");
}
