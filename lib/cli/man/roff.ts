/**
 * Text, usage and descriptions as roff, in the macros of man(7).
 *
 * @module
 */
import { formatMessage, type Message } from "@optique/core/message";
import type { Usage, UsageTerm } from "@optique/core/usage";

/** Escapes text for a line of its own: what roff would read as a request, an escape or a hyphen stays text. */
export function escapeText(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replace(
      /[^\0-\x7f]/gu,
      (c) => `\\[u${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    );
  return escaped.replace(/^(?=[.'])/gm, "\\&");
}

/** Makes text bold: what is to be typed as it stands. */
export function bold(text: string): string {
  return `\\fB${escapeText(text)}\\fR`;
}

/** Makes text italic: what stands for something else. */
export function italic(text: string): string {
  return `\\fI${escapeText(text)}\\fR`;
}

/** Renders a message of the help without quotation marks around its values. */
export function renderMessage(message: Message): string {
  return escapeText(formatMessage(message, { quotes: false }));
}

/** Renders the terms of a command line, one after the other. */
export function renderUsage(usage: Usage): string {
  return usage.map(renderTerm).filter((text) => text !== "").join(" ");
}

/** Renders one term, e.g. `[--cidr CIDR]`. */
export function renderTerm(term: UsageTerm): string {
  switch (term.type) {
    case "command":
      return bold(term.name);
    case "literal":
      return bold(term.value);
    case "argument":
      return italic(term.metavar);
    case "option": {
      const value = term.metavar === undefined ? "" : ` ${italic(term.metavar)}`;
      return term.names.map(bold).join(", ") + value;
    }
    case "optional":
      return `[${renderUsage(term.terms)}]`;
    case "multiple": {
      const terms = `${renderUsage(term.terms)} ...`;
      return term.min === 0 ? `[${terms}]` : terms;
    }
    case "exclusive":
      return `(${term.terms.map(renderUsage).join(" | ")})`;
    case "sequence":
      return renderUsage(term.terms);
    case "ellipsis":
    case "passthrough":
      return "...";
  }
}
