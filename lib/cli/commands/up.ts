import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import { command, flag, option } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import { NetworkError } from "../../error.ts";
import type { Share } from "../../identity/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { type Action, type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { duration, share } from "./options.ts";

const options = object({
  cidr: optional(option("--cidr", string({ metavar: "CIDR" }), {
    description: message`Take virtual addresses from this IPv4 range, whatever the clusters say.`,
  })),
  dns: withDefault(
    option("--dns", choice(["auto", "resolved", "direct", "none"] as const, { metavar: "MODE" }), {
      description: message`How DNS is set up.`,
    }),
    "auto" as const,
  ),
  link: optional(option("--link", string({ metavar: "NAME", pattern: /^vnet[0-9]{1,3}$/ }), {
    description: message`The name of the network device; without it the first vnetN that is free.`,
  })),
});

const guards = object({
  share: multiple(option("--share", share(), {
    description:
      message`Let another user's programs connect as well: user:NAME, group:NAME, or all. Can be repeated; a group is whoever is in it at this moment.`,
  })),
  containers: withDefault(
    option("--containers", choice(["allow", "deny"] as const, { metavar: "POLICY" }), {
      description:
        message`Whether containers and virtual machines behind this machine's NAT may connect.`,
    }),
    "deny" as const,
  ),
});

const settings = map(
  object({ options, guards }),
  ({ options, guards }): UpSettings => ({ ...options, ...guards }),
);

const upOptions = object({
  detach: withDefault(
    flag("--detach", { description: message`Return when ready, and go on in the background.` }),
    false,
  ),
  dryRun: withDefault(
    flag("--dry-run", {
      description: message`Print what would be done, line by line, and do nothing.`,
    }),
    false,
  ),
  settings,
});

export type UpSettings = {
  readonly cidr: string | undefined;
  readonly dns: "auto" | "resolved" | "direct" | "none";
  readonly link: string | undefined;
  readonly share: readonly Share[];
  readonly containers: "allow" | "deny";
};

export const up = command(
  "up",
  map(upOptions, (chosen): Action => async (context) => {
    const { bringUp, printPlan, stayUp } = await import("../supervise.ts");
    if (chosen.dryRun) return await printPlan(context, chosen.settings);
    const running = await bringUp(context, chosen.settings, { detach: chosen.detach });
    return running === null ? EXIT.done : await stayUp(context, running);
  }),
  {
    brief: message`Bring vnet up: device, addresses, DNS, forwarding (root, or the helper service)`,
    description:
      message`Starts a small root helper and a daemon that runs as you. Everything is undone when it ends, also after a crash.`,
  },
);

export const down = command(
  "down",
  map(
    object({
      purge: withDefault(
        flag("--purge", {
          description:
            message`Remove all that vnet keeps for you here as well: addresses, saved answers, logs, journal. Logins stay; \`vnet logout --all\` forgets those.`,
        }),
        false,
      ),
    }),
    ({ purge }): Action => async (context) => {
      const { bringDown } = await import("../supervise.ts");
      await bringDown(context);
      if (purge) await (await import("../purge.ts")).purge(context);
      return EXIT.done;
    },
  ),
  { brief: message`Bring vnet down and leave the machine as it was` },
);

export const restart = command(
  "restart",
  map(object({ settings }), (chosen): Action => async (context) => {
    const { bringUpAgain } = await import("../supervise.ts");
    await bringUpAgain(context, chosen.settings);
    return EXIT.done;
  }),
  { brief: message`Bring vnet down and up again, in the background` },
);

export const wait = command(
  "wait",
  map(
    object({
      for: withDefault(
        option("--for", choice(["ready"] as const, { metavar: "STATE" }), {
          description: message`What to wait for.`,
        }),
        "ready" as const,
      ),
      timeout: withDefault(
        option("--timeout", duration(), { description: message`How long at most.` }),
        30_000,
      ),
    }),
    (chosen): Action => (context) => runWait(context, chosen.timeout),
  ),
  { brief: message`Wait until a daemon that is starting is ready` },
);

async function runWait(context: Context, timeoutMs: number): Promise<number> {
  const { ControlClient } = await import("../../client/mod.ts");
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

/** Tells whether names can be used; a degraded daemon serves what it can. */
export function isReady(status: StatusV1): boolean {
  return status.state === "ready" || status.state === "degraded";
}
