/**
 * Runs the catalogue over the facts, folds what follows from one cause under it, and picks what was asked for.
 *
 * @module
 */
import { CHECKS } from "./catalogue.ts";
import type { Facts } from "./facts.ts";
import type { Check, Finding, Judgement } from "./finding.ts";

/** Which checks to show. A pattern is an id, or its beginning up to a dot. */
export interface Selection {
  /** None: all. */
  readonly only: readonly string[];
  readonly skip: readonly string[];
}

/** How many findings there are of each status. */
export interface Summary {
  readonly ok: number;
  readonly warn: number;
  readonly fail: number;
  readonly skip: number;
}

interface Judged {
  readonly finding: Finding;
  readonly blocks: boolean;
}

/**
 * Judges the facts.
 *
 * @returns The findings in the catalogue's order. Of a selection's findings the causes are shown as well.
 */
export function examine(facts: Facts, selection: Selection): readonly Finding[] {
  const judged: Judged[] = [];
  for (const check of CHECKS) {
    if (check.needsTarget === true && facts.target === null) continue;
    for (const judgement of check.judge(facts)) judged.push(fold(check, judgement, judged));
  }
  return select(judged.map(({ finding }) => finding), selection);
}

/**
 * Counts the findings by status.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { summarize } from "./examine.ts";
 *
 * deepEqual(summarize([]), { ok: 0, warn: 0, fail: 0, skip: 0 });
 * ```
 */
export function summarize(findings: readonly Finding[]): Summary {
  const count = (status: Finding["status"]) =>
    findings.filter((finding) => finding.status === status).length;
  return { ok: count("ok"), warn: count("warn"), fail: count("fail"), skip: count("skip") };
}

/**
 * Tells whether a pattern names any check of the catalogue, or a thing one of its families may judge.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { isKnownPattern } from "./examine.ts";
 *
 * equal(isKnownPattern("dns.*"), true);
 * equal(isKnownPattern("weather.*"), false);
 * ```
 */
export function isKnownPattern(pattern: string): boolean {
  return CHECKS.some((check) =>
    matches(check.id, pattern) || (check.isFamily === true && pattern.startsWith(`${check.id}.`))
  );
}

/** What is not well while a cause is not mended says nothing by itself. */
function fold(check: Check, judgement: Judgement, earlier: readonly Judged[]): Judged {
  const { of, status, summary, evidence = [], cause = null, fix = null } = judgement;
  const id = of === undefined ? check.id : `${check.id}.${of}`;
  const { title, severity, dependsOn } = check;
  const root = status === "ok" ? null : causeOf(dependsOn, of, earlier);
  const common = { id, title, severity, dependsOn };
  if (root !== null) {
    const folded: Finding = {
      ...common,
      status: "skip",
      summary: `because of ${root}`,
      evidence: status === "skip" ? [] : [{ label: "found", text: summary }, ...evidence],
      cause: null,
      fix: null,
      blockedBy: root,
    };
    return { finding: folded, blocks: false };
  }
  const finding = { ...common, status, summary, evidence, cause, fix, blockedBy: null };
  return { finding, blocks: judgement.blocks ?? status === "fail" };
}

/** The first cause along the dependencies. */
function causeOf(
  dependsOn: readonly string[],
  of: string | undefined,
  earlier: readonly Judged[],
): string | null {
  for (const dependency of dependsOn) {
    const same = earlier.filter(({ finding }) => finding.id === `${dependency}.${of}`);
    const members = same.length > 0
      ? same
      : earlier.filter(({ finding }) => matches(finding.id, dependency));
    for (const { finding, blocks } of members) {
      if (finding.blockedBy !== null) return finding.blockedBy;
      if (blocks) return finding.id;
    }
  }
  return null;
}

function select(findings: readonly Finding[], selection: Selection): readonly Finding[] {
  const { only, skip } = selection;
  const chosen = findings.filter(({ id }) =>
    (only.length === 0 || only.some((pattern) => matches(id, pattern))) &&
    !skip.some((pattern) => matches(id, pattern))
  );
  const causes = new Set(chosen.flatMap(({ blockedBy }) => blockedBy ?? []));
  return findings.filter((finding) => chosen.includes(finding) || causes.has(finding.id));
}

function matches(id: string, pattern: string): boolean {
  const plain = pattern.replace(/\.\*$/, "");
  return id === plain || id.startsWith(`${plain}.`);
}
