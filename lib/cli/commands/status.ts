import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { command, flag } from "@optique/core/primitives";
import { VnetError } from "../../error.ts";
import { type Action, type Context, printJson, printText } from "../context.ts";
import { EXIT } from "../exit.ts";
import { format } from "./options.ts";

export const status = command(
  "status",
  map(
    object({
      connections: withDefault(
        flag("--connections", {
          description:
            message`List the connections instead: what each app's add up to, then the latest with their programs.`,
        }),
        false,
      ),
      format,
    }),
    (options): Action => (context) =>
      options.connections ? runConnections(context, options.format) : run(context, options.format),
  ),
  {
    brief: message`Show whether vnet is up, your logins, and who is connected`,
    description:
      message`While vnet is down it lists your logins and exits with status 5. Times are local; JSON has UTC.`,
  },
);

async function run(context: Context, form: "text" | "json"): Promise<number> {
  const { ControlClient } = await import("../../client/control/client.ts");
  using control = new ControlClient(context.paths.controlSocket);
  const status = await control.status().catch(async (thrown) => {
    const isDown = thrown instanceof VnetError && thrown.code === "daemon-not-running";
    if (form === "text" && isDown) await printLogins(context);
    throw thrown;
  });
  if (form === "json") printJson(context, status);
  else {
    const { renderStatus } = await import("../text/status_text.ts");
    const { userNames } = await import("../users.ts");
    const options = { nowMs: context.nowMs(), userName: await userNames() };
    printText(context, renderStatus(status, options));
  }
  return EXIT.done;
}

async function runConnections(context: Context, form: "text" | "json"): Promise<number> {
  const { ControlClient } = await import("../../client/control/client.ts");
  using control = new ControlClient(context.paths.controlSocket);
  const connections = await control.connections();
  if (form === "json") printJson(context, connections);
  else {
    const { renderConnections } = await import("../text/connections_text.ts");
    printText(context, renderConnections(connections, { nowMs: context.nowMs() }));
  }
  return EXIT.done;
}

/** Says which logins there are, from disk. That one cannot be read is another command's to say. */
async function printLogins(context: Context): Promise<void> {
  const { profileName, ProfileStore } = await import("../../client/mod.ts");
  const { renderSavedLogins } = await import("../text/status_text.ts");
  const profiles = await new ProfileStore(context.paths.configDir).list().catch(() => null);
  if (profiles === null) return;
  const logins = profiles.map(({ proxy, cluster, user, expiresMs }) => ({
    proxy: profileName(proxy),
    cluster,
    user,
    expires: new Date(expiresMs).toISOString(),
  }));
  printText(context, `vnet is down\n${renderSavedLogins(logins, { nowMs: context.nowMs() })}`);
}
