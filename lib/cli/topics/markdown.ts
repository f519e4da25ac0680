/**
 * The pages of docs/ for a terminal: as much of Markdown as they use, set into lines of its width.
 *
 * @module
 */
import { fill } from "../text/fill.ts";

/** One part of a page, from a heading to the next of its level or above. */
interface Section {
  readonly title: string;
  readonly level: number;
  readonly lines: readonly string[];
}

/** Pages of the guide, by file, that have a topic: a link to one leads there. */
export type TopicOfPage = (file: string) => string | null;

/** Writes a page, or the parts of it whose heading has a word. @returns `null` when no heading has it. */
export function renderMarkdown(
  markdown: string,
  how: {
    readonly columns: number;
    readonly about: string | null;
    readonly topicOf: TopicOfPage;
  },
): string | null {
  const plain = markdown.replaceAll(/<!--[\s\S]*?-->\n*/g, "");
  const sections = sectionsOf(plain);
  const { about } = how;
  const chosen = about === null
    ? [{ title: "", level: 0, lines: plain.split("\n") }]
    : findSections(sections, about);
  if (chosen.length === 0) return null;
  return chosen.map(({ lines }) => renderLines(lines, how)).join("\n").replace(/\n{3,}/g, "\n\n");
}

/** The headings of a page, below its title. */
export function headingsOf(markdown: string): readonly string[] {
  return sectionsOf(markdown).filter(({ level }) => level > 1).map(({ title }) => title);
}

/** The sections whose heading has the words; those that are within another of them are shown there. */
function findSections(sections: readonly Section[], about: string): readonly Section[] {
  const wanted = about.toLowerCase();
  const exact = sections.filter(({ title }) => title.toLowerCase() === wanted);
  if (exact.length > 0) return exact;
  return sections.filter(({ title, level }) => level > 1 && title.toLowerCase().includes(wanted));
}

function sectionsOf(markdown: string): readonly Section[] {
  const lines = markdown.split("\n");
  const headings: { readonly at: number; readonly level: number; readonly title: string }[] = [];
  let isCode = false;
  lines.forEach((line, at) => {
    if (line.startsWith("```")) isCode = !isCode;
    const [, marks, title] = isCode ? [] : /^(#+) (.*)$/.exec(line) ?? [];
    if (marks === undefined || title === undefined) return;
    headings.push({ at, level: marks.length, title: title.replaceAll("`", "") });
  });
  return headings.map(({ at, level, title }, index) => {
    const next = headings.slice(index + 1).find((heading) => heading.level <= level);
    return { title, level, lines: lines.slice(at, next?.at ?? lines.length) };
  });
}

function renderLines(
  lines: readonly string[],
  { columns, topicOf }: { readonly columns: number; readonly topicOf: TopicOfPage },
): string {
  const out: string[] = [];
  let paragraph: string[] = [];
  let headings: readonly string[] | null = null;
  let isCode = false;
  const flush = () => {
    if (paragraph.length === 0) return;
    out.push(renderParagraph(inline(paragraph.join(" "), topicOf), columns));
    paragraph = [];
  };
  for (const line of lines) {
    if (line.startsWith("```")) {
      flush();
      isCode = !isCode;
    } else if (isCode) out.push(line === "" ? "" : `    ${line}`);
    else if (line.startsWith("|")) {
      flush();
      const cells = line.split(/(?<!\\)\|/).slice(1, -1).map((cell) =>
        inline(cell.trim().replaceAll("\\|", "|"), topicOf)
      );
      if (headings === null) headings = cells;
      else if (!cells.every((cell) => /^:?-+:?$/.test(cell))) {
        out.push(renderRow(headings, cells, columns));
      }
      continue;
    } else if (line.trim() === "") {
      flush();
      out.push("");
    } else if (/^#+ /.test(line)) {
      flush();
      const title = inline(line.replace(/^#+ /, ""), topicOf);
      out.push(line.startsWith("###") ? title : title.toUpperCase());
    } else {
      if (/^\s*([-*]|\d+\.) /.test(line)) flush();
      paragraph.push(paragraph.length === 0 ? line.trimEnd() : line.trim());
    }
    headings = null;
  }
  flush();
  return `${out.join("\n").trim()}\n`;
}

/** A row of a table: its first cell, and the others below it with their headings. */
function renderRow(headings: readonly string[], cells: readonly string[], columns: number): string {
  const [first = "", ...rest] = cells;
  const lines = rest.flatMap((cell, index) => {
    if (cell === "" || cell === "—") return [];
    const heading = rest.length === 1 ? "" : `${headings[index + 1]}: `;
    return [setIn(`${heading}${cell}`, columns, 4, 6)];
  });
  return [first, ...lines].join("\n");
}

function renderParagraph(text: string, columns: number): string {
  const [, space = "", mark = ""] = /^(\s*)([-*] |\d+\. )?/.exec(text) ?? [];
  const indent = space.length + mark.length;
  return setIn(text.trim(), columns, space.length, indent);
}

function setIn(text: string, columns: number, first: number, rest: number): string {
  const lines = fill(text.split(" "), columns - first, rest - first).split("\n");
  return lines.map((line) => `${" ".repeat(first)}${line}`).join("\n");
}

/** Links become their text and where they lead, emphasis its text. */
function inline(text: string, topicOf: TopicOfPage): string {
  return text
    .replaceAll(/\[([^\]]+)\]\(([^)]+)\)/g, (_, shown: string, target: string) => {
      const [file = ""] = target.split("#");
      const topic = topicOf(file.replace(/^.*\//, ""));
      if (topic !== null) return `${shown} (\`vnet help ${topic}\`)`;
      return /^https?:/.test(target) && target !== shown ? `${shown} (${target})` : shown;
    })
    .replaceAll(/\*\*([^*]+)\*\*/g, "$1");
}
