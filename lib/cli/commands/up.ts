import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { command, flag, option } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import { NetworkError } from "../../error.ts";
import { type Action, type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { duration } from "./options.ts";
import { restartOptions, upOptions } from "./up_options.ts";

const upChoices = object({
  detach: withDefault(
    flag("--detach", { description: message`Run in the background; return when vnet is ready.` }),
    false,
  ),
  dryRun: withDefault(
    flag("--dry-run", {
      description: message`Print every change that would be made, and make none.`,
    }),
    false,
  ),
  options: upOptions,
});

export const up = command(
  "up",
  map(upChoices, ({ options, dryRun, detach }): Action => async (context) => {
    const { parseUpOptions } = await import("../../config/mod.ts");
    const wishes = parseUpOptions(options);
    const { bringUp, printPlan, stayUp } = await import("../supervise/bring_up.ts");
    if (dryRun) return await printPlan(context, wishes);
    if (detach) {
      await bringUp(context, wishes, { detach });
      return EXIT.done;
    }
    const { onHangup } = await import("../supervise/hangup.ts");
    using hangup = onHangup(context.ignored());
    const signal = AbortSignal.any([context.signal, hangup.signal]);
    const running = await bringUp({ ...context, signal }, wishes, { detach });
    return running === null ? EXIT.done : await stayUp({ ...context, signal }, running);
  }),
  {
    brief: message`Bring vnet up: device, addresses, DNS, forwarding (root, or the helper service)`,
    description:
      message`Starts a small helper as root and a daemon as your user. All changes to this machine are undone when vnet ends, even after a crash.`,
  },
);

export const down = command(
  "down",
  map(
    object({
      purge: withDefault(
        flag("--purge", {
          description:
            message`Also remove the data that vnet keeps for you: addresses, cached cluster data, logs, journal. Logins stay; \`vnet logout --all\` removes those.`,
        }),
        false,
      ),
    }),
    ({ purge }): Action => async (context) => {
      const { bringDown } = await import("../supervise/bring_down.ts");
      await bringDown(context);
      if (purge) await (await import("../purge.ts")).purge(context);
      return EXIT.done;
    },
  ),
  { brief: message`Bring vnet down and undo its changes to this machine` },
);

export const restart = command(
  "restart",
  map(object({ options: restartOptions }), ({ options }): Action => async (context) => {
    const { parseUpOptions } = await import("../../config/mod.ts");
    const wishes = parseUpOptions(options);
    const { restart } = await import("../supervise/restart.ts");
    await restart(context, wishes);
    return EXIT.done;
  }),
  {
    brief: message`Bring vnet down and up again, in the background`,
    description:
      message`Keeps the options of the last "vnet up", even if vnet was killed; options given here replace them.`,
  },
);

export const wait = command(
  "wait",
  map(
    object({
      for: withDefault(
        option("--for", choice(["ready"] as const, { metavar: "STATE" }), {
          description: message`The state to wait for.`,
        }),
        "ready" as const,
      ),
      timeout: withDefault(
        option("--timeout", duration(), { description: message`Maximum time to wait.` }),
        30_000,
      ),
    }),
    (chosen): Action => (context) => runWait(context, chosen.timeout),
  ),
  { brief: message`Wait until vnet is ready` },
);

async function runWait(context: Context, timeoutMs: number): Promise<number> {
  const { ControlClient } = await import("../../client/mod.ts");
  const { isReady } = await import("../supervise/summary.ts");
  using control = new ControlClient(context.paths.controlSocket);
  const status = await control.waitReady(timeoutMs, context.signal);
  if (isReady(status)) {
    tell(context, "vnet is ready");
    return EXIT.done;
  }
  throw new NetworkError("not-ready", `vnet is still ${status.state}`, {
    hint: "Run `vnet status` to see what it waits for",
  });
}
