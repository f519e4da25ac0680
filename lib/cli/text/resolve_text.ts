import { printableDocument } from "../../printable.ts";
import type { ResolveV1 } from "../../status/mod.ts";

/** Writes the verdict on a name as text. */
export function renderResolve(given: ResolveV1): string {
  const { name, type, verdict, addresses, rule, reason, ttl_seconds, source } = printableDocument(
    given,
  );
  const lines = [
    `${name} ${type}: ${[verdict, ...addresses].join(" ")}`,
    `  rule    ${rule}: ${reason}`,
    ...(ttl_seconds === undefined ? [] : [`  ttl     ${ttl_seconds} s`]),
    `  from    ${source === "daemon" ? "the running daemon" : "what was last known"}`,
  ];
  return `${lines.join("\n")}\n`;
}
