/**
 * `vnet doctor` as the stories run it: a report that comes in time, and what it says.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import type { Outcome } from "../host/process.ts";
import { say } from "../host/say.ts";
import type { Vnet } from "../world/vnet.ts";

/** What a whole report may take, whatever hangs. */
const WITHIN_MS = 3_000;

/** What `vnet doctor --format json` says, as far as the stories look. */
export interface Report {
  readonly schema: string;
  readonly duration_ms: number;
  readonly summary: { readonly ok: number; readonly warn: number; readonly fail: number };
  readonly checks: readonly {
    readonly id: string;
    readonly status: "ok" | "warn" | "fail" | "skip";
    readonly summary: string;
    readonly blocked_by?: string;
    readonly cause?: string;
    readonly evidence: readonly { readonly label: string; readonly text: string }[];
    readonly fix?: { readonly text: string; readonly automatic: boolean };
  }[];
}

/** Examines the client host; the report must come in time, whatever it says. */
export async function examine(
  { vnet }: { readonly vnet: Vnet },
  args: readonly string[],
  code: number | "any",
): Promise<Report> {
  const expect = code === "any" ? "any" : [0, 1];
  const ran: Outcome = await vnet.run(["doctor", ...args, "--format", "json"], { expect });
  const report = JSON.parse(ran.stdout) as Report;
  for (const { id, status, summary } of report.checks) {
    if (status === "fail" || status === "warn") say(`  ${status} ${id}: ${summary}`);
  }
  equal(report.schema, "vnet.doctor/1");
  ok(report.duration_ms < WITHIN_MS, `It took ${report.duration_ms} ms`);
  if (code !== "any") equal(ran.code, code);
  return report;
}

/** Shows the report as a person sees it. */
export async function show({ vnet }: { readonly vnet: Vnet }, ...args: string[]): Promise<void> {
  const { stdout } = await vnet.run(["doctor", ...args], { expect: [0, 1] });
  say(stdout.trimEnd());
}

export function find(report: Report, id: string): Report["checks"][number] {
  const found = report.checks.find((check) => check.id === id);
  if (found === undefined) throw new Error(`There is no check ${id}`);
  return found;
}

export function failed(report: Report): string[] {
  return report.checks.filter(({ status }) => status === "fail").map(({ id }) => id);
}

export function statuses(report: Report): Record<string, string> {
  return Object.fromEntries(report.checks.map(({ id, status }) => [id, status]));
}

export function evidence(report: Report, id: string): string[] {
  return find(report, id).evidence.map(({ text }) => text);
}
