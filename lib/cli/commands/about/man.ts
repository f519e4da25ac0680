import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import { command } from "@optique/core/primitives";
import type { Action } from "../../context.ts";
import { EXIT } from "../../exit.ts";

export const man = command(
  "man",
  map(object({}), (): Action => async (context) => {
    const { renderManual } = await import("../../man/manual.ts");
    context.stdout(renderManual());
    return EXIT.done;
  }),
  {
    brief: message`Print the manual page`,
    description: message`The page is in roff; \`vnet man | man -l -\` shows it.`,
  },
);
