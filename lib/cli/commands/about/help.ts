import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, multiple } from "@optique/core/modifiers";
import { argument, command } from "@optique/core/primitives";
import { AlreadyTold, EXIT } from "../../exit.ts";
import type { Action, Context } from "../../context.ts";
import { known } from "../../grammar/known_values.ts";

export const help = command(
  "help",
  map(
    object({
      words: multiple(argument(known("topic", "WORD"), {
        description:
          message`A command such as "ctl users", a topic such as "dns", or an error code.`,
      })),
    }),
    ({ words }): Action => (context) => run(context, words),
  ),
  {
    brief: message`Show help for a command, a topic or an error code`,
    description:
      message`Topics: start, errors, checks, dns, configuration, cluster, operations, security. A second word selects sections of a topic by their heading: \`vnet help checks dns.zone\`.`,
  },
);

async function run(context: Context, words: readonly string[]): Promise<number> {
  const { commandsBelow, renderHelp } = await import("../../grammar/help.ts");
  const { describeUnknown, readWords } = await import("../../grammar/usage.ts");
  const found = readWords(words, { commandsBelow });
  if (found.unknown !== null) {
    const { renderTopic } = await import("../../topics/topics.ts");
    const text = renderTopic(words, context.terminal);
    if (text !== null) {
      context.stdout(text);
      return EXIT.done;
    }
    context.stderr(describeUnknown(found));
    throw new AlreadyTold(EXIT.usage);
  }
  context.stdout(renderHelp(found.command, context.terminal));
  return EXIT.done;
}
