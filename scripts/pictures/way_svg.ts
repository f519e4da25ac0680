/**
 * The picture of the way a connection takes, from a program to an app in a private network.
 *
 * @module
 */
import { escapeXml, MONOSPACE } from "./svg.ts";

const WIDTH = 980;
const HEIGHT = 400;
const SANS = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif";
const LINE_HEIGHT = 19;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly lines: readonly string[];
  readonly look: "place" | "part";
}

interface Arrow {
  /** A path of straight lines: `x,y` each. */
  readonly way: string;
  readonly look: "plain" | "tls";
}

interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly look: "note" | "step";
}

const BOXES: readonly Box[] = [
  { x: 20, y: 50, width: 400, height: 270, title: "your machine", lines: [], look: "place" },
  { x: 500, y: 50, width: 170, height: 270, title: "proxy", lines: [], look: "place" },
  { x: 740, y: 50, width: 220, height: 270, title: "private network", lines: [], look: "place" },
  {
    x: 40,
    y: 90,
    width: 150,
    height: 62,
    title: "any program",
    lines: ["psql, curl, …"],
    look: "part",
  },
  {
    x: 250,
    y: 90,
    width: 150,
    height: 62,
    title: "vnet: DNS",
    lines: ["100.64.71.9"],
    look: "part",
  },
  { x: 40, y: 230, width: 150, height: 62, title: "TUN", lines: ["held SYN"], look: "part" },
  {
    x: 250,
    y: 230,
    width: 150,
    height: 62,
    title: "vnet: tunnel",
    lines: ["certificate, TLS"],
    look: "part",
  },
  {
    x: 515,
    y: 230,
    width: 140,
    height: 62,
    title: "relay",
    lines: ["sees ciphertext"],
    look: "part",
  },
  { x: 755, y: 230, width: 90, height: 62, title: "agent", lines: ["TLS ends"], look: "part" },
  { x: 875, y: 230, width: 72, height: 62, title: "db", lines: [":5432"], look: "part" },
];

const ARROWS: readonly Arrow[] = [
  { way: "190,112 248,112", look: "plain" },
  { way: "250,134 192,134", look: "plain" },
  { way: "115,152 115,228", look: "plain" },
  { way: "190,261 248,261", look: "plain" },
  { way: "400,261 513,261", look: "tls" },
  { way: "655,261 753,261", look: "tls" },
  { way: "845,261 873,261", look: "plain" },
];

const LABELS: readonly Label[] = [
  { x: 219, y: 104, text: "1", look: "step" },
  { x: 123, y: 195, text: "2  connect 100.64.71.9:5432", look: "note" },
  { x: 219, y: 253, text: "3", look: "step" },
  { x: 456, y: 253, text: "4", look: "step" },
  {
    x: 20,
    y: 350,
    text: "1 Where is db.company.test?   2 Connect to its virtual address.",
    look: "note",
  },
  {
    x: 20,
    y: 374,
    text:
      "3 Who connects, and may they?   4 TLS from your machine to the agent, through the proxy.",
    look: "note",
  },
];

/** Draws the way. */
export function renderWay(): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title">`,
    '<title id="title">A program asks for a name, connects to its virtual address, and vnet takes the ' +
    "connection through the proxy to the agent, encrypted from end to end</title>",
    "<style>",
    `text{font:14px ${SANS};fill:#1f2933}`,
    `.line{font:12.5px ${MONOSPACE};fill:#52606d}`,
    ".title{font-weight:600}",
    ".step{font-weight:600;fill:#b44d12}",
    ".place{fill:#f5f7fa;stroke:#9aa5b1;stroke-dasharray:5 4}",
    ".part{fill:#fff;stroke:#52606d}",
    ".arrow{fill:none;stroke:#52606d;stroke-width:1.6}",
    ".tls{stroke:#0b7a4b;stroke-width:4}",
    "</style>",
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" ' +
    'markerWidth="11" markerHeight="11" orient="auto"><path d="M0 0 8 4 0 8z" fill="#1f2933"/></marker></defs>',
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#fff"/>`,
    ...BOXES.map(renderBox),
    ...ARROWS.map(({ way, look }) =>
      `<polyline class="arrow ${look}" points="${way}" marker-end="url(#head)"/>`
    ),
    ...LABELS.map(({ x, y, text, look }) =>
      `<text class="${look}" x="${x}" y="${y}">${escapeXml(text)}</text>`
    ),
    "</svg>",
    "",
  ].join("\n");
}

function renderBox({ x, y, width, height, title, lines, look }: Box): string {
  const middle = x + width / 2;
  const texts = lines.map((line, index) =>
    `<text class="line" x="${middle}" y="${y + 26 + (index + 1) * LINE_HEIGHT}" ` +
    `text-anchor="middle">${escapeXml(line)}</text>`
  );
  return `<rect class="${look}" x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>` +
    `<text class="title" x="${middle}" y="${y + 24}" text-anchor="middle">${
      escapeXml(title)
    }</text>` +
    texts.join("");
}
