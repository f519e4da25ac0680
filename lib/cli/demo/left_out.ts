/** What the demo could not show on this machine: what, why, and what brings it. */
import { renderTable } from "../text/table.ts";
import type { Check } from "./checks.ts";

export interface LeftOut {
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
}

/** How far the demo's world got. */
interface World {
  readonly prepared: boolean;
  readonly hasIpv6: boolean;
  /** The last step of preparing. */
  readonly last: { readonly title: string; readonly evidence: string } | null;
}

/** Parts the claims into those that can be shown here and the others. */
export function leftOutOf(
  checks: readonly Check[],
  { prepared, hasIpv6, last }: World,
): { readonly shown: readonly Check[]; readonly hidden: readonly LeftOut[] } {
  if (!prepared) {
    const [cause = "", ...hints] = last?.evidence.split("; ") ?? [];
    const remedy = hints.length === 0 ? "try --debug" : hints.join("; ");
    const what = `${checks.length} claims, after "${last?.title ?? ""}"`;
    return { shown: [], hidden: [{ what, why: cause, remedy }] };
  }
  const isShown = ({ needs }: Check) => needs !== "IPv6" || hasIpv6;
  return {
    shown: checks.filter(isShown),
    hidden: checks.filter((check) => !isShown(check)).map(({ title }) => ({
      what: title,
      why: "this machine has no IPv6",
      remedy: "sudo sysctl net.ipv6.conf.all.disable_ipv6=0, or a kernel with IPv6",
    })),
  };
}

/** @returns The table as text; empty if nothing was left out. */
export function renderLeftOut(rows: readonly LeftOut[]): string {
  if (rows.length === 0) return "";
  return renderTable(
    ["LEFT OUT", "WHY", "WHAT BRINGS IT"],
    rows.map(({ what, why, remedy }) => [what, why, remedy]),
  );
}
