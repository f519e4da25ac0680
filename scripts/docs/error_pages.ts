/**
 * Writes docs/errors.md: every code, what happened and what to do, out of the table in lib/refusal.
 *
 *   deno run -A scripts/docs/error_pages.ts          writes the page
 *   deno run -A scripts/docs/error_pages.ts --check  says whether it is up to date
 *
 * @module
 */
import {
  type Refusal,
  type RefusalCode,
  REFUSALS,
  type Section,
  SECTIONS,
} from "../../lib/refusal/mod.ts";
import { format } from "./config_reference.ts";

const INTRODUCTION = `# Errors

Every error ends a command with one line \`error: … [code]\` on stderr, and a line \`hint: …\` where you can do something. \`--debug\` adds the cause. Codes are stable: scripts may rely on them. The same codes stand in \`vnet status\` (refused connections, warnings), in its JSON as \`code\`, and in the answers of the cluster's API.`;

/** What stands above a section's table. */
const ABOUT: Partial<Record<Section, string>> = {
  "Login and cluster":
    "What the cluster's API refuses, with its HTTP status. A client shows the cluster's own words.",
  "Connections":
    `Why a connection to an app, or to the cluster, was refused. \`vnet status\` lists the latest. A program sees "connection refused" (RST) where the app, the port or your right to it is the matter, and "no route to host" (ICMP) where the way there is.`,
  "The machine": "Device, addresses, routes, and the two processes.",
  "The service":
    "Of `vnet service`; [operations.md](operations.md#the-service-of-a-client) says what it installs.",
  "Internal":
    "These come from the innards. You should not meet them; a message that has one also has the system call and its reason. Please report what you did.",
};

/** A column that only some sections have: what it says of a row, if anything. */
interface Column {
  readonly title: string;
  readonly text: (row: Refusal) => string | null;
}

const COLUMNS: readonly Column[] = [
  { title: "HTTP", text: ({ httpStatus }) => httpStatus === undefined ? null : `${httpStatus}` },
  { title: "answer", text: ({ answer }) => answer?.toUpperCase() ?? null },
];

/** The columns of each section beside the three that all have. */
const EXTRA: Partial<Record<Section, readonly string[]>> = {
  "Login and cluster": ["HTTP"],
  "Connections": ["answer", "HTTP"],
};

/** Writes the page, unformatted. */
export function renderErrors(): string {
  const sections = (Object.keys(SECTIONS) as Section[]).map(renderSection);
  return [INTRODUCTION, exitStatuses(), ...sections].join("\n\n") + "\n";
}

function exitStatuses(): string {
  const codesOf = (status: number) =>
    (Object.keys(REFUSALS) as RefusalCode[])
      .filter((code) => (REFUSALS[code] as Refusal).exitStatus === status)
      .map((code) => `\`${code}\``);
  return `A command that fails ends with status 1, but with 2 after an error of usage, with 4 after ${
    listed(codesOf(4))
  }, and with 5 after ${listed(codesOf(5))}.`;
}

function renderSection(section: Section): string {
  const columns = (EXTRA[section] ?? []).flatMap((title) =>
    COLUMNS.filter((column) => column.title === title)
  );
  const titles = ["code", ...columns.map(({ title }) => title), "what happened", "what to do"];
  const rows = Object.entries<Refusal>(SECTIONS[section]).map(([code, row]) => [
    `\`${code}\``,
    ...columns.map(({ text }) => text(row) ?? "—"),
    isWarning(row) ? `Warning: ${row.happened}` : row.happened,
    row.remedy,
  ]);
  const table = [titles, titles.map(() => "---"), ...rows].map((cells) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  );
  const about = ABOUT[section];
  const parts = [`## ${section}`, ...about === undefined ? [] : [about], table.join("\n")];
  return [...parts, ...section === "Connections" ? [nameErrors()] : []].join("\n\n");
}

/** What DNS says instead of an address. */
function nameErrors(): string {
  const lines = (Object.keys(REFUSALS) as RefusalCode[]).flatMap((code) => {
    const { ede }: Refusal = REFUSALS[code];
    return ede === undefined ? [] : [`- \`${code}\`: ${ede.code}, "${ede.text}"`];
  });
  return `Where no connection can come about, the name has no address, and the DNS answer says why with an extended error (RFC 8914); \`dig\` shows it:\n\n${
    lines.join("\n")
  }`;
}

/** What is found and ends no command. */
function isWarning({ finding, exitStatus }: Refusal): boolean {
  return finding !== undefined && exitStatus === undefined;
}

/** `a, b and c`. */
function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

if (import.meta.main) {
  const path = new URL("../../docs/errors.md", import.meta.url).pathname;
  const page = await format(renderErrors());
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(path, page);
  else if (await Deno.readTextFile(path) !== page) {
    Deno.stderr.writeSync(new TextEncoder().encode("docs/errors.md is not up to date\n"));
    Deno.exit(1);
  }
}
