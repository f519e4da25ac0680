import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional } from "@optique/core/modifiers";
import { command, option } from "@optique/core/primitives";
import { UsageError } from "../../error.ts";
import { printable } from "../../printable.ts";
import type { AppsV1 } from "../../status/mod.ts";
import { type Action, type Context, printJson, printText, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { known } from "../grammar/known_values.ts";
import { format } from "./options.ts";

interface Options {
  readonly cluster: string | undefined;
  readonly copy: string | undefined;
  readonly format: "text" | "json";
}

const ls = command(
  "ls",
  map(
    object({
      cluster: optional(option("--cluster", known("cluster", "NAME"), {
        description: message`Only the apps of this cluster.`,
      })),
      copy: optional(option("--copy", known("app", "APP"), {
        description:
          message`Copy what the USE column shows for this app (its name, or its DNS name) to the clipboard.`,
      })),
      format,
    }),
    (options): Action => (context) => run(context, options),
  ),
  {
    brief: message`List the apps you may use: names, addresses, ports, and what to type`,
    description:
      message`What to type is chosen by the label "protocol", else by the port. GRANT is how the cluster came by the name's zone, see "vnet help zones ls". An app without an address has none yet: vnet is down, or no agent serves the app.`,
  },
);

export const apps = command("apps", ls, { brief: message`List the TCP apps you may use` });

async function run(context: Context, options: Options): Promise<number> {
  const { listApps } = await import("../../client/mod.ts");
  const found = await listApps(context.paths, context.signal);
  const { cluster } = options;
  if (cluster !== undefined) await requireCluster(context, found, cluster);
  const wanted = cluster === undefined
    ? found
    : { ...found, apps: found.apps.filter((app) => app.cluster === cluster) };
  if (options.copy !== undefined) return await copyPaste(context, wanted, options.copy);
  if (options.format === "json") printJson(context, wanted);
  else if (wanted.apps.length === 0) tell(context, "No apps: your roles allow none, or none is up");
  else {
    const { renderApps } = await import("../text/apps_text.ts");
    printText(context, renderApps(wanted, context.nowMs()));
  }
  return EXIT.done;
}

/** @throws UsageError with the clusters there are. */
async function requireCluster(context: Context, { apps }: AppsV1, name: string): Promise<void> {
  const { ProfileStore } = await import("../../client/mod.ts");
  const profiles = await new ProfileStore(context.paths.configDir).list();
  const names = [...new Set([...apps, ...profiles].map(({ cluster }) => cluster))].sort();
  if (names.includes(name)) return;
  throw new UsageError("usage", `There is no cluster "${name}"`, {
    hint: `Your clusters are: ${names.join(", ")}`,
  });
}

/** @throws UsageError when there is no such app. */
async function copyPaste(context: Context, { apps }: AppsV1, wanted: string): Promise<number> {
  const { renderPaste } = await import("../text/paste.ts");
  const { copy } = await import("../clipboard.ts");
  const plain = wanted.toLowerCase().replace(/\.$/, "");
  const app = apps.find(({ name, public_addrs }) =>
    name.toLowerCase() === plain || public_addrs.some((addr) => addr.toLowerCase() === plain)
  );
  const [first] = app?.public_addrs ?? [];
  if (app === undefined || first === undefined) {
    throw new UsageError("usage", `There is no app "${wanted}"`, {
      hint: `Your apps are: ${apps.map(({ name }) => name).join(", ") || "none"}`,
    });
  }
  const name = app.public_addrs.find((addr) => addr.toLowerCase() === plain) ?? first;
  const text = printable(renderPaste(name, app));
  const way = await copy(context, text);
  tell(context, `Copied "${text}" by ${way}`);
  return EXIT.done;
}
