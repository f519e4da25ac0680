/**
 * The report for people: one line a check, what hurts with its evidence, cause and fix, consequences under their
 * cause.
 *
 * @module
 */
import { printableDocument } from "../../printable.ts";
import type { DoctorV1 } from "../../status/mod.ts";
import { counted } from "./plural.ts";

type Check = DoctorV1["checks"][number];

const WORDS: Readonly<Record<Check["status"], string>> = {
  ok: " OK  ",
  warn: "WARN ",
  fail: "FAIL ",
  skip: "SKIP ",
};
const COLORS: Readonly<Record<Check["status"], string>> = {
  ok: "32",
  warn: "33",
  fail: "31",
  skip: "2",
};

interface RenderOptions {
  readonly color: boolean;
  /** Show the evidence of what is well, too. */
  readonly verbose: boolean;
}

/** Writes a report as text. */
export function renderDoctor(given: DoctorV1, options: RenderOptions): string {
  const report = printableDocument(given);
  const { host, checks, version, duration_ms } = report;
  const system = [host.os, host.kernel, host.distribution, host.container]
    .filter((part) => part !== undefined).join(" ");
  const seconds = (duration_ms / 1000).toFixed(1);
  const lines = [
    `vnet doctor ${version}   ${system}   ${checks.length} checks in ${seconds} s`,
    "",
  ];
  const shown = checks.filter(({ blocked_by }) => blocked_by === undefined);
  const width = Math.max(0, ...shown.map(({ id }) => id.length));
  for (const check of shown) lines.push(...renderCheck(check, checks, width, options));
  lines.push("", summarize(report));
  return `${lines.join("\n")}\n`;
}

function renderCheck(
  check: Check,
  all: readonly Check[],
  width: number,
  { color, verbose }: RenderOptions,
): readonly string[] {
  const { id, status, summary, evidence, cause, fix } = check;
  const word = color ? `\x1b[${COLORS[status]}m${WORDS[status]}\x1b[0m` : WORDS[status];
  const lines = [`${word} ${id.padEnd(width)}  ${summary}`];
  const isWell = status === "ok" || status === "skip";
  if (isWell && !verbose) return lines;
  const details = evidence.map(({ label, text }) => [label, text]);
  if (cause !== undefined) details.push(["cause", cause]);
  if (fix !== undefined) details.push(["fix", fix.text]);
  const blocked = all.filter(({ blocked_by }) => blocked_by === id).map(({ id }) => id);
  if (blocked.length > 0) details.push(["hides", blocked.join(", ")]);
  if (!isWell) details.push(["more", `vnet help checks ${headingOf(id)}`]);
  const labels = Math.max(...details.map(([label = ""]) => label.length));
  for (const [label = "", text] of details) lines.push(`        ${label.padEnd(labels)}  ${text}`);
  return lines;
}

/** The heading of a check is its id, of a family member the family's. */
function headingOf(id: string): string {
  const [folder = "", name = ""] = id.split(".");
  return `${folder}.${name}`;
}

function summarize({ summary, checks }: DoctorV1): string {
  const { ok, warn, fail, skip } = summary;
  const parts = [
    ...(fail > 0 ? [counted(fail, "problem")] : []),
    ...(warn > 0 ? [counted(warn, "warning")] : []),
  ];
  const hidden = checks.filter(({ blocked_by }) => blocked_by !== undefined).length;
  const rest = [
    counted(ok, "check") + (ok === 1 ? " is well" : " are well"),
    ...(hidden === 1 ? ["1 waits for what it depends on"] : []),
    ...(hidden > 1 ? [`${hidden} wait for what they depend on`] : []),
    ...(skip > hidden ? [`${skip - hidden} could not be judged`] : []),
  ].join(", ");
  return parts.length === 0 ? `Nothing is wrong: ${rest}.` : `${parts.join(", ")}; ${rest}.`;
}
