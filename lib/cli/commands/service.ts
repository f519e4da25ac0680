import { object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional, withDefault } from "@optique/core/modifiers";
import { command, flag, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { ServiceV1 } from "../../status/mod.ts";
import { type Action, printJson } from "../context.ts";
import { EXIT } from "../exit.ts";
import { format } from "./options.ts";
import { renderTable } from "../text/table.ts";

const install = command(
  "install",
  map(
    object({
      user: optional(option("--user", string({ metavar: "NAME" }), {
        description: message`Also start vnet for this user at boot.`,
      })),
      polkit: withDefault(
        flag("--polkit", {
          description:
            message`Let polkit decide about users who are not in the group; without a rule it asks for an administrator's password.`,
        }),
        false,
      ),
    }),
    (options): Action => async (context) => {
      const { install } = await import("../service/service.ts");
      await install(context, options);
      return EXIT.done;
    },
  ),
  {
    brief: message`Install the helper's socket, for "vnet up" without sudo (root)`,
    description:
      message`Members of group "vnet" may use it. Prints each file it writes to /etc/systemd/system; run it again after an upgrade to update them.`,
  },
);

const uninstall = command(
  "uninstall",
  map(object({}), (): Action => async (context) => {
    const { uninstall } = await import("../service/service.ts");
    await uninstall(context);
    return EXIT.done;
  }),
  { brief: message`Remove what "install" installed (root)` },
);

const enable = command(
  "enable",
  map(
    object({
      print: withDefault(
        flag("--print", {
          description: message`Print the files that would be written, and write none.`,
        }),
        false,
      ),
      xdg: withDefault(
        flag("--xdg", {
          description:
            message`Write an XDG autostart entry, for desktops that start no user units of systemd.`,
        }),
        false,
      ),
    }),
    (options): Action => async (context) => {
      const { enable } = await import("../service/autostart.ts");
      await enable(context, options);
      return EXIT.done;
    },
  ),
  {
    brief: message`Start vnet at your login, and now; without root`,
    description:
      message`Writes a unit of your own systemd. The helper service ("install") does what needs root, so no password is asked. "vnet down" ends vnet until your next login.`,
  },
);

const disable = command(
  "disable",
  map(object({}), (): Action => async (context) => {
    const { disable } = await import("../service/autostart.ts");
    await disable(context);
    return EXIT.done;
  }),
  { brief: message`Start vnet at your login no more` },
);

const status = command(
  "status",
  map(object({ format }), (options): Action => async (context) => {
    const { describeService } = await import("../service/service.ts");
    const described = await describeService();
    if (options.format === "json") printJson(context, described);
    else context.stdout(renderService(described));
    return described.ready ? EXIT.done : EXIT.notRunning;
  }),
  { brief: message`Show what is installed, whether it runs, and who may use it` },
);

export const service = command("service", or(install, uninstall, enable, disable, status), {
  brief: message`Run vnet under systemd: without sudo, from boot, or from your login`,
});

/** Writes a service for people. */
export function renderService(service: ServiceV1): string {
  if (!service.systemd) return "This machine does not run systemd\n";
  const { name, exists, members } = service.group;
  const group = exists ? `${name}: ${members.join(" ") || "no members"}` : `${name}: missing`;
  const units = service.units.map((unit) => [unit.name, unit.active, unit.enabled || unit.load]);
  const files = service.files.map(({ path, state }) =>
    `  ${path}${state === "same" ? "" : `  ${state}`}`
  );
  return [
    service.ready ? "The helper service is ready" : "The helper service is not running",
    `group ${group}`,
    renderTable(["UNIT", "ACTIVE", "AT BOOT"], units).trimEnd(),
    ...(files.length === 0 ? [] : ["written by `vnet service install`:", ...files]),
  ].join("\n") + "\n";
}
