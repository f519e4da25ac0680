/**
 * The manual page vnet(1), from the same definitions as the help.
 *
 * @module
 */
import type { DocEntry, DocPage } from "@optique/core/doc";
import type { Message } from "@optique/core/message";
import type { Usage, UsageTerm } from "@optique/core/usage";
import { VERSION } from "../../version.ts";
import { pageOf } from "../grammar/help.ts";
import { AFTERWORD, FOREWORD } from "./prose.ts";
import { escapeText, renderMessage, renderTerm, renderUsage } from "./roff.ts";

/** One command with everything the help says of it. */
interface Command {
  readonly path: readonly string[];
  readonly page: DocPage;
}

/** Renders the page. The same version gives the same text: it bears no date. */
export function renderManual(): string {
  const root = pageOf([]);
  const everywhere = root.sections.filter((section) => section.title !== undefined);
  const lines = [
    // No hyphens and no stretched lines: what is shown is there to be copied.
    `.TH VNET 1 "" "vnet ${VERSION}" "vnet manual"`,
    ".nh",
    ".ad l",
    FOREWORD,
    ".SH COMMANDS",
    ...commandsBelow({ path: [], page: root }).flatMap((command) => renderCommand(command)),
    ".SH OPTIONS",
    "These may stand after every command.",
    ...everywhere.flatMap((section) => section.entries.flatMap(renderEntry)),
    AFTERWORD,
  ];
  return `${lines.join("\n")}\n`;
}

/** Lists the commands of a page in the help's order, a group before its members. */
function commandsBelow(parent: Command): Command[] {
  const terms = parent.page.sections.flatMap((s) => s.entries.map((e) => e.term));
  return terms.flatMap((term) => {
    if (term.type !== "command") return [];
    const path = [...parent.path, term.name];
    const command = { path, page: pageOf(path) };
    return [command, ...commandsBelow(command)];
  });
}

function renderCommand({ path, page }: Command): string[] {
  const own = page.sections.filter((section) => section.title === undefined);
  const entries = own.flatMap((section) => section.entries);
  const isGroup = entries.some((entry) => entry.term.type === "command");
  return [
    `.SS ${escapeText(`vnet ${path.join(" ")}`)}`,
    ...(isGroup ? [] : [renderUsage(ownTerms(page.usage ?? [], path)), ".PP"]),
    ...(page.brief === undefined ? [] : [sentence(page.brief)]),
    ...(page.description === undefined ? [] : [".PP", renderMessage(page.description)]),
    ...(isGroup ? [] : entries.flatMap(renderEntry)),
  ];
}

/** Leaves out the options that every command takes; they have a section of their own. */
function ownTerms(usage: Usage, path: readonly string[]): UsageTerm[] {
  const names = new Set(
    pageOf([]).sections.filter((s) => s.title !== undefined).flatMap((s) =>
      s.entries.flatMap((e) => e.term.type === "option" ? e.term.names : [])
    ),
  );
  const isGlobal = (term: UsageTerm): boolean =>
    term.type === "optional"
      ? term.terms.every(isGlobal)
      : term.type === "option" && term.names.some((n) => names.has(n));
  const command: UsageTerm[] = path.map((name) => ({ type: "command", name }));
  return [
    { type: "command", name: "vnet" },
    ...command,
    ...usage.slice(path.length).filter((t) => !isGlobal(t)),
  ];
}

function renderEntry(entry: DocEntry): string[] {
  const description = entry.description === undefined ? "" : renderMessage(entry.description);
  const choices = entry.choices === undefined ? "" : ` One of ${renderMessage(entry.choices)}.`;
  const standard = entry.default === undefined ? "" : ` Default: ${renderMessage(entry.default)}.`;
  return [".TP", renderTerm(entry.term), `${description}${choices}${standard}` || "\\&"];
}

function sentence(brief: Message): string {
  const text = renderMessage(brief);
  return text.endsWith(".") ? text : `${text}.`;
}
