/** Options that several commands share. */
import { or } from "@optique/core/constructs";
import { message, text as msgText } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { flag, option } from "@optique/core/primitives";
import { formatDuration } from "../../config/duration.ts";
import { choice, type ValueParser, type ValueParserResult } from "@optique/core/valueparser";

/** `--format text|json`, and `--json` for short. */
export const format = withDefault(
  or(
    option("--format", choice(["text", "json"] as const, { metavar: "FORMAT" }), {
      description: message`Output format. Default: text.`,
    }),
    map(
      flag("--json", { description: message`The same as "--format json".` }),
      () => "json" as const,
    ),
  ),
  "text" as const,
);

/** A duration such as `30s`, `5m`, `12h`; in milliseconds. */
export function duration(
  { minMs = 0, maxMs = Infinity }: { readonly minMs?: number; readonly maxMs?: number } = {},
): ValueParser<"sync", number> {
  const unit: Readonly<Record<string, number>> = {
    ms: 1,
    s: 1000,
    m: 60_000,
    h: 3_600_000,
    d: 86_400_000,
  };
  return {
    mode: "sync",
    metavar: "DURATION",
    placeholder: 30_000,
    parse(text: string): ValueParserResult<number> {
      const [, digits, suffix] = /^([0-9]{1,6})(ms|s|m|h|d)$/.exec(text) ?? [];
      const factor = unit[suffix ?? ""];
      if (digits === undefined || factor === undefined) {
        return {
          success: false,
          error:
            message`${text} is not a duration: use a number and a unit, such as 30s, 5m or 12h.`,
        };
      }
      const value = Number(digits) * factor;
      if (value < minMs || value > maxMs) {
        const limit = value < minMs
          ? `at least ${formatDuration(minMs)}`
          : `at most ${formatDuration(maxMs)}`;
        return { success: false, error: message`Must be ${msgText(limit)}, not ${text}.` };
      }
      return { success: true, value };
    },
    format: formatDuration,
  };
}
