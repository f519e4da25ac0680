import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, multiple } from "@optique/core/modifiers";
import { argument, command } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { AlreadyTold, EXIT } from "../exit.ts";
import type { Action, Context } from "../context.ts";

export const help = command(
  "help",
  map(
    object({
      words: multiple(argument(string({ metavar: "COMMAND" }), {
        description: message`A command, such as "up" or "ctl users".`,
      })),
    }),
    ({ words }): Action => (context) => run(context, words),
  ),
  { brief: message`Show what a command does and takes` },
);

async function run(context: Context, words: readonly string[]): Promise<number> {
  const { commandsBelow, optionsOf, renderHelp } = await import("../help.ts");
  const { describeUnknown, readWords } = await import("../usage.ts");
  const found = readWords(words, { commandsBelow, optionsOf });
  if (found.unknown !== null) {
    context.stderr(describeUnknown(found));
    throw new AlreadyTold(EXIT.usage);
  }
  context.stdout(renderHelp(found.command, context.terminal));
  return EXIT.done;
}
