import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import { argument, command, passThrough } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import type { Action } from "../../context.ts";
import { EXIT } from "../../exit.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

export const completions = command(
  "completions",
  map(
    object({
      shell: argument(choice(SHELLS, { metavar: "SHELL" }), {
        description: message`Your shell.`,
      }),
      // What the script gives: the words of the line so far.
      words: passThrough({ format: "greedy", hidden: true }),
    }),
    ({ shell, words }): Action => async (context) => {
      const shells = await import("@optique/core/completion");
      const [first, ...rest] = words;
      if (first === undefined) {
        context.stdout(shells[shell].generateScript("vnet", ["completions", shell]));
        return EXIT.done;
      }
      const { suggest } = await import("../../grammar/suggest.ts");
      for (
        const chunk of shells[shell].encodeSuggestions(
          await suggest(context, [first, ...rest]),
        )
      ) {
        context.stdout(chunk);
      }
      return EXIT.done;
    },
  ),
  {
    brief: message`Print a shell's completion script`,
    description: message`For bash: \`eval "$(vnet completions bash)"\` in ~/.bashrc.`,
  },
);
