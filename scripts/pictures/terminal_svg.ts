/**
 * A terminal recording as an SVG that plays by itself: every piece of text appears at its time. Who asks for
 * less motion sees all of it at once.
 *
 * @module
 */
import type { Cast } from "./cast.ts";
import { escapeXml, MONOSPACE } from "./svg.ts";

const CELL_WIDTH = 8;
const LINE_HEIGHT = 19;
const FONT_SIZE = 13.3;
const MARGIN = 16;
const BAR_HEIGHT = 28;
/** How long the whole stands before it begins anew. */
const REST_MS = 6000;

interface Run {
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly atMs: number;
}

/**
 * Draws a recording.
 *
 * @throws {Error} It has other control characters than line breaks, or does not fit the recording's size.
 */
export function renderTerminal(cast: Cast): string {
  const runs = layOut(cast);
  const width = cast.width * CELL_WIDTH + 2 * MARGIN;
  const height = cast.height * LINE_HEIGHT + 2 * MARGIN + BAR_HEIGHT;
  const lastMs = Math.max(0, ...runs.map(({ atMs }) => atMs));
  const totalMs = lastMs + REST_MS;
  const moments = [...new Set(runs.map(({ atMs }) => atMs))];
  const frames = moments.map((atMs, index) => {
    const percent = (atMs / totalMs * 100).toFixed(2);
    return `@keyframes k${index}{0%,${percent}%{opacity:0}${percent}%,100%{opacity:1}}` +
      `.k${index}{animation-name:k${index}}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${escapeXml(cast.title)}</title>`,
    "<style>",
    `text{font:${FONT_SIZE}px ${MONOSPACE};fill:#d8dee9;white-space:pre}`,
    `.k{animation-duration:${totalMs}ms;animation-timing-function:step-end;animation-iteration-count:infinite}`,
    ...frames,
    "@media (prefers-reduced-motion:reduce){.k{animation:none}}",
    "</style>",
    `<rect width="${width}" height="${height}" rx="8" fill="#20242c"/>`,
    ...["#e06c5f", "#e5b94e", "#6bbf59"].map((color, index) =>
      `<circle cx="${20 + index * 18}" cy="18" r="5.5" fill="${color}"/>`
    ),
    ...runs.map((run) => renderRun(run, moments.indexOf(run.atMs))),
    "</svg>",
    "",
  ].join("\n");
}

function renderRun({ line, column, text }: Run, moment: number): string {
  const x = MARGIN + column * CELL_WIDTH;
  const y = MARGIN + BAR_HEIGHT + line * LINE_HEIGHT + FONT_SIZE;
  const length = [...text].length * CELL_WIDTH;
  return `<text class="k k${moment}" x="${x}" y="${y}" textLength="${length}" xml:space="preserve">` +
    `${escapeXml(text)}</text>`;
}

/** Places every piece, cut at line breaks; blanks draw nothing. */
function layOut({ width, height, pieces }: Cast): Run[] {
  const runs: Run[] = [];
  let line = 0;
  let column = 0;
  for (const { atMs, text } of pieces) {
    text.replaceAll("\r\n", "\n").split("\n").forEach((part, index) => {
      if (index > 0) [line, column] = [line + 1, 0];
      // deno-lint-ignore no-control-regex -- this is what finds them
      if (/[\x00-\x1f\x7f]/.test(part)) throw new Error(`No picture of ${JSON.stringify(part)}`);
      const length = [...part].length;
      if (column + length > width) throw new Error(`Wider than ${width} columns: ${part}`);
      if (part.trim() !== "") runs.push({ line, column, text: part, atMs });
      column += length;
    });
  }
  const lines = column === 0 ? line : line + 1;
  if (lines > height) throw new Error(`${lines} lines, and room for ${height}`);
  return runs;
}
