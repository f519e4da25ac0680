/**
 * The pages people read, and what is in them.
 *
 * @module
 */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** One page of Markdown. */
export interface Page {
  /** Path below the root. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of code. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** The line its text begins on, counted from 1. */
  readonly line: number;
}

const FOLDERS: readonly string[] = ["", "docs/", ".github/"];

/** Reads README.md and the pages of docs/ and .github/, sorted. */
export async function readPages(): Promise<Page[]> {
  const paths: string[] = [];
  for (const folder of FOLDERS) {
    for await (const { name, isFile } of Deno.readDir(`${ROOT}${folder}`)) {
      if (isFile && name.endsWith(".md")) paths.push(`${folder}${name}`);
    }
  }
  return await Promise.all(
    paths.sort().map(async (path) => ({ path, text: await Deno.readTextFile(`${ROOT}${path}`) })),
  );
}

/** Finds the fenced blocks of a page. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; line: number } | null = null;
  text.split("\n").forEach((line, i) => {
    const [fence, language = ""] = /^```\s*(\S*)/.exec(line) ?? [];
    if (fence === undefined) open?.lines.push(line);
    else if (open === null) open = { language, lines: [], line: i + 2 };
    else {
      blocks.push({ language: open.language, text: open.lines.join("\n"), line: open.line });
      open = null;
    }
  });
  return blocks;
}

/** A page without its fenced blocks, line for line. */
export function proseOf(text: string): string {
  let isInside = false;
  return text.split("\n").map((line) => {
    const isFence = line.startsWith("```");
    if (isFence) isInside = !isInside;
    return isFence || isInside ? "" : line;
  }).join("\n");
}

/** The name GitHub gives a heading in links. */
export function anchorOf(heading: string): string {
  return heading.trim().toLowerCase().replace(/[`*]/g, "").replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}
