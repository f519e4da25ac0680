/** What somebody who just brought vnet up is told; `vnet status` says it again. */
import { counted } from "../text/plural.ts";
import type { StatusV1 } from "../../status/mod.ts";

/** Tells whether names can be used; a degraded daemon serves what it can. */
export function isReady(status: StatusV1): boolean {
  return status.state === "ready" || status.state === "degraded";
}

/** How it is, in a line. */
export function summarize(status: StatusV1): string {
  const zones = status.dns?.zones.length ?? 0;
  const state = status.state === "ready" ? "ready" : `up, but ${status.state}; see \`vnet status\``;
  return `vnet is ${state}: ${counted(status.apps_total, "app")} in ${counted(zones, "zone")}`;
}

/** What one has to know beside. */
export function remarks({ findings }: StatusV1): readonly string[] {
  return findings.flatMap(({ code, message, hint }) => [
    `warning: ${message} [${code}]`,
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ]);
}
