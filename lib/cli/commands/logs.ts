import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { command, flag, option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import type { Action } from "../context.ts";

export const logs = command(
  "logs",
  map(
    object({
      follow: withDefault(
        flag("-f", "--follow", { description: message`Keep printing new lines.` }),
        false,
      ),
      lines: withDefault(
        option("-n", "--lines", integer({ min: 1, max: 100_000, metavar: "N" }), {
          description: message`How many of the last lines to print first.`,
        }),
        200,
      ),
    }),
    (options): Action => async (context) => {
      const { showLogs } = await import("../supervise/logs.ts");
      return await showLogs(context, options);
    },
  ),
  {
    brief: message`Show the log of your vnet`,
    description:
      message`From the journal when a service runs it, else from the file of \`vnet up --detach\`; without --detach, vnet logs to its own terminal. \`vnet up --debug\` and \`vnet restart --debug\` log every DNS query.`,
  },
);
