import { printableDocument } from "../../printable.ts";
import type { ResolveV1 } from "../../status/mod.ts";

/** Writes the verdict on a name as text. */
export function renderResolve(given: ResolveV1): string {
  const found = printableDocument(given);
  const { name, type, verdict, addresses, rule, reason, ttl_seconds, source, app } = found;
  const lines = [
    `${name} ${type}: ${[verdict, ...addresses].join(" ")}`,
    `  rule    ${rule}: ${reason}`,
    ...(app === undefined ? [] : [
      `  app     ${placeOf({ ...app, app: app.name })}`,
      `  grant   ${app.grant}, zone ${app.zone}`,
    ]),
    ...(found.claims ?? []).map((claim) => `  refused ${placeOf(claim)}: ${claim.why}`),
    ...(ttl_seconds === undefined ? [] : [`  ttl     ${ttl_seconds} s`]),
    `  from    ${source === "daemon" ? "the running daemon" : "what was last known"}`,
  ];
  return `${lines.join("\n")}\n`;
}

function placeOf(
  { app, cluster, proxy }: {
    readonly app: string;
    readonly cluster: string;
    readonly proxy: string;
  },
): string {
  return `${app} of ${cluster}${cluster === proxy ? "" : ` (${proxy})`}`;
}
