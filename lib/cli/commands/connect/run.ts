import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, multiple, withDefault } from "@optique/core/modifiers";
import { argument, command, option } from "@optique/core/primitives";
import { choice, integer, string } from "@optique/core/valueparser";
import type { Action } from "../../context.ts";
import type { OuterNetwork } from "../../run/outer_network.ts";

const NETWORKS = [
  "auto",
  "pasta",
  "slirp4netns",
  "none",
] as const satisfies readonly OuterNetwork[];

const network = withDefault(
  option("--network", choice(NETWORKS, { metavar: "HOW" }), {
    description:
      message`How the rest of the network is reached: by pasta or slirp4netns, the first that is installed (auto), or not at all (none).`,
  }),
  "auto" as const,
);

export const run = command(
  "run",
  map(
    object({
      network,
      command: multiple(
        argument(string({ metavar: "-- COMMAND" }), {
          description:
            message`The command and its arguments, as typed; "--" ends the options of vnet.`,
        }),
        { min: 1 },
      ),
    }),
    (options): Action => async (context) => {
      const { runCommand } = await import("../../run/start.ts");
      return await runCommand(context, options);
    },
  ),
  {
    brief: message`Run a command for which the names of your apps work, without root`,
    description:
      message`In namespaces of its own: names and addresses are there for the command and what it starts, and for nobody else. It runs as you, on this terminal, with its own status. vnet ends with the command, also for what it leaves in the background. If vnet is up, its login is used.`,
  },
);

export const runDaemon = command(
  "run-daemon",
  map(
    object({ command: option("--command", integer({ min: 1, metavar: "PID" })), network }),
    (options): Action => async (context) => {
      const { serveCommand } = await import("../../run/daemon.ts");
      return await serveCommand(context, options);
    },
  ),
  { hidden: true },
);

export const runHelper = command(
  "run-helper",
  map(object({}), (): Action => async (context) => {
    const { helpCommand } = await import("../../run/helper.ts");
    return await helpCommand(context);
  }),
  { hidden: true },
);
