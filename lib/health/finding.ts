/**
 * What a check says, and what a check is.
 *
 * @module
 */
import type { Facts, Measured } from "./facts.ts";

/** `skip`: could not be judged, with the reason; never a failure. */
export type FindingStatus = "ok" | "warn" | "fail" | "skip";

/** How much it hurts when the check does not hold. */
export type Severity = "error" | "warning" | "info";

/** One thing that was seen. */
export interface Evidence {
  readonly label: string;
  readonly text: string;
}

/** The one thing to do about it. */
export interface Fix {
  readonly kind: "command" | "advice";
  readonly text: string;
  /** `vnet doctor --fix` does it. */
  readonly automatic: boolean;
}

/** The judgement of one check about one thing. */
export interface Finding {
  readonly id: string;
  readonly title: string;
  readonly status: FindingStatus;
  readonly severity: Severity;
  /** One line: what is so. */
  readonly summary: string;
  readonly evidence: readonly Evidence[];
  readonly cause: string | null;
  readonly fix: Fix | null;
  readonly dependsOn: readonly string[];
  /** The finding that explains this one; nothing is to be done here before that is mended. */
  readonly blockedBy: string | null;
}

/** What a check returns: the part of a finding that differs from case to case. */
export interface Judgement {
  /** Follows the check's id where one check judges several things: `dns.zone` + `example.com`. */
  readonly of?: string;
  readonly status: FindingStatus;
  readonly summary: string;
  readonly evidence?: readonly Evidence[];
  readonly cause?: string;
  readonly fix?: Fix;
  /** What depends on it cannot be judged. Failures block unless told otherwise. */
  readonly blocks?: boolean;
}

/** One check of the catalogue. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  /** Checks whose failure explains a failure of this one. They come earlier in the catalogue. */
  readonly dependsOn: readonly string[];
  /** Judges several things, each under `id.THING`. */
  readonly isFamily?: boolean;
  /** Judges only with `--name`. */
  readonly needsTarget?: boolean;
  /** @returns One judgement, or one for each thing of a family; none when there is nothing to judge. */
  judge(facts: Facts): readonly Judgement[];
}

/** The rest of a judgement, beside status and summary. */
export type Detail = Omit<Judgement, "status" | "summary">;

export function ok(summary: string, detail: Detail = {}): readonly Judgement[] {
  return [{ ...detail, status: "ok", summary }];
}

export function warn(summary: string, detail: Detail = {}): readonly Judgement[] {
  return [{ ...detail, status: "warn", summary }];
}

export function fail(summary: string, detail: Detail = {}): readonly Judgement[] {
  return [{ ...detail, status: "fail", summary }];
}

export function skip(summary: string, detail: Detail = {}): readonly Judgement[] {
  return [{ ...detail, status: "skip", summary }];
}

/** Judges what was measured; what was not is skipped with its reason. */
export function judged<T>(
  measured: Measured<T>,
  judge: (value: T) => readonly Judgement[],
): readonly Judgement[] {
  return measured.kind === "measured" ? judge(measured.value) : skip(measured.reason);
}

export function command(text: string): Fix {
  return { kind: "command", text, automatic: false };
}

export function advice(text: string): Fix {
  return { kind: "advice", text, automatic: false };
}

/** What `vnet doctor --fix` does; it needs root. */
export const REPAIR: Fix = { kind: "command", text: "sudo vnet doctor --fix", automatic: true };

/** Names one piece of evidence. */
export function seen(label: string, text: string): Evidence {
  return { label, text };
}
