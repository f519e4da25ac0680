import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { argument, command, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { type Action, type Context, printJson, printText } from "../context.ts";
import { EXIT } from "../exit.ts";
import { known } from "../grammar/known_values.ts";
import { format } from "./options.ts";

interface Options {
  readonly name: string;
  readonly type: string;
  readonly format: "text" | "json";
}

export const resolve = command(
  "resolve",
  map(
    object({
      name: argument(known("name", "NAME"), { description: message`The DNS name to look up.` }),
      type: withDefault(
        option("--type", string({ metavar: "TYPE" }), {
          description: message`The record type: A, AAAA, PTR, HTTPS, …`,
        }),
        "A",
      ),
      format,
    }),
    (options): Action => (context) => run(context, options),
  ),
  {
    brief: message`Show what vnet's DNS server answers for a name, and why`,
    description:
      message`No other resolver is asked: a name outside the zones of your clusters shows as "forward". Works while vnet is down, with the last known state.`,
  },
);

async function run(context: Context, options: Options): Promise<number> {
  const { resolveName } = await import("../../client/mod.ts");
  const found = await resolveName(context.paths, options.name, options.type);
  if (options.format === "json") {
    printJson(context, found);
    return EXIT.done;
  }
  const { renderResolve } = await import("../text/resolve_text.ts");
  printText(context, renderResolve(found));
  return EXIT.done;
}
