import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional } from "@optique/core/modifiers";
import { command, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { AppsV1 } from "../../status/mod.ts";
import { type Action, type Context, printJson, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { format } from "./options.ts";
import { renderTable } from "../text/table.ts";

interface Options {
  readonly cluster: string | undefined;
  readonly format: "text" | "json";
}

const ls = command(
  "ls",
  map(
    object({
      cluster: optional(option("--cluster", string({ metavar: "NAME" }), {
        description: message`Only the apps of this cluster.`,
      })),
      format,
    }),
    (options): Action => (context) => run(context, options),
  ),
  { brief: message`List the apps you may use, with their names, ports and addresses` },
);

export const apps = command("apps", ls, { brief: message`The TCP apps you may use` });

async function run(context: Context, options: Options): Promise<number> {
  const { listApps } = await import("../../client/mod.ts");
  const found = await listApps(context.paths, context.signal);
  const wanted = options.cluster === undefined
    ? found
    : { ...found, apps: found.apps.filter((app) => app.cluster === options.cluster) };
  if (options.format === "json") printJson(context, wanted);
  else if (wanted.apps.length === 0) tell(context, "No apps: your roles allow none, or none is up");
  else context.stdout(renderTable(["NAME", "PORTS", "IPV4", "CLUSTER", "APP"], rows(wanted)));
  return EXIT.done;
}

function rows(found: AppsV1): string[][] {
  return found.apps.flatMap((app) =>
    app.public_addrs.map((name) => [
      name,
      app.ports?.join(",") ?? "any",
      app.addresses.find((address) => address.name === name)?.ipv4 ?? "-",
      app.cluster,
      app.name,
    ])
  );
}
