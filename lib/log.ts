/**
 * Logging for adapters and shells; pure folders never log. The category is the folder, the message a constant
 * sentence, values are properties. Names and addresses appear from `debug` downward only; secrets never.
 *
 * @module
 */
import { configure, getLogger as get, jsonLinesFormatter, type Logger } from "@logtape/logtape";
import { printable } from "./printable.ts";

type LogLevel = "trace" | "debug" | "info" | "warning" | "error";

/** Returns the logger of one folder of lib/, for example `getLogger("client")`. */
export function getLogger(...category: readonly string[]): Logger {
  return get(["vnet", ...category]);
}

/** How records are written: one JSON line each for a machine, short text for a terminal. */
type LogForm = "json" | "text";

/** Sends log records to a writer; called once by a program's entry, never by a library. */
export async function configureLog(
  options: {
    readonly level: LogLevel;
    readonly form: LogForm;
    readonly write: (line: string) => void;
  },
): Promise<void> {
  await configure({
    reset: true,
    sinks: {
      out: (record) => {
        if (options.form === "json") {
          options.write(jsonLinesFormatter(record));
          return;
        }
        const time = new Date(record.timestamp).toISOString().slice(11, 23);
        const values = Object.entries(record.properties)
          .map(([key, value]) =>
            ` ${key}=${printable(typeof value === "string" ? value : `${JSON.stringify(value)}`)}`
          )
          .join("");
        const folder = record.category.slice(1).join(".");
        options.write(
          `${time} ${record.level} ${folder}: ${printable(record.message.join(""))}${values}\n`,
        );
      },
    },
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
      { category: ["vnet"], lowestLevel: options.level, sinks: ["out"] },
    ],
  });
}
