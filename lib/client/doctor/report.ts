/**
 * Findings as the public document.
 *
 * @module
 */
import { type Finding, type Fix, summarize } from "../../health/mod.ts";
import type { DoctorV1 } from "../../status/mod.ts";
import { VERSION } from "../../version.ts";
import type { Attempt } from "./measure.ts";
import type { RepairStep } from "./repair.ts";

interface ReportOptions {
  readonly host: DoctorV1["host"];
  readonly startedMs: number;
  readonly durationMs: number;
  readonly findings: readonly Finding[];
  readonly attempts: readonly Attempt[];
  /** What `--fix` did; `null` when it was not asked for. */
  readonly repaired: readonly RepairStep[] | null;
}

/** Fills `vnet.doctor/1`. */
export function renderReport(options: ReportOptions): DoctorV1 {
  const { host, startedMs, durationMs, findings, attempts, repaired } = options;
  return {
    schema: "vnet.doctor/1",
    version: VERSION,
    started: new Date(startedMs).toISOString(),
    duration_ms: durationMs,
    host,
    summary: summarize(findings),
    checks: findings.map(renderFinding),
    measurements: attempts.map(({ name, elapsedMs, reason }) => ({
      name,
      duration_ms: elapsedMs,
      ...(reason === null ? {} : { reason }),
    })),
    ...(repaired === null ? {} : { repaired: repaired.map(({ done, text }) => ({ done, text })) }),
  };
}

function renderFinding(finding: Finding): DoctorV1["checks"][number] {
  const { id, title, status, severity, summary, evidence, cause, fix, blockedBy } = finding;
  return {
    id,
    title,
    status,
    severity,
    summary,
    depends_on: [...finding.dependsOn],
    ...(blockedBy === null ? {} : { blocked_by: blockedBy }),
    evidence: evidence.map(({ label, text }) => ({ label, text })),
    ...(cause === null ? {} : { cause }),
    ...(fix === null ? {} : { fix: renderFix(fix) }),
  };
}

function renderFix(
  { kind, text, automatic }: Fix,
): { kind: Fix["kind"]; text: string; automatic: boolean } {
  return { kind, text, automatic };
}
