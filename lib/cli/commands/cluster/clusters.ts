import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import { command } from "@optique/core/primitives";
import { type Action, type Context, printJson, printText } from "../../context.ts";
import { EXIT } from "../../exit.ts";
import { format } from "../options.ts";

const ls = command(
  "ls",
  map(object({ format }), (options): Action => (context) => list(context, options.format)),
  {
    brief:
      message`List the clusters of your logins, and their leaves: online or offline, since when`,
    description:
      message`A leaf is a cluster that lets users of another in, its root: you reach its apps with the login at the root.`,
  },
);

export const clusters = command("clusters", ls, {
  brief: message`List your clusters and their leaves`,
});

async function list(context: Context, form: "text" | "json"): Promise<number> {
  const { listClusters } = await import("../../../client/mod.ts");
  const found = await listClusters(context.paths, context.signal);
  if (form === "json") {
    printJson(context, found);
    return EXIT.done;
  }
  const { renderMoment } = await import("../../text/moment.ts");
  const { renderTable } = await import("../../text/table.ts");
  const rows = found.clusters.map((
    { name, kind, proxy, state, since, apps, apps_left_out: leftOut },
  ) => [
    name,
    kind,
    proxy,
    state,
    since === undefined ? "-" : renderMoment(Date.parse(since), context.nowMs()),
    leftOut === undefined ? `${apps}` : `${apps}, ${leftOut} left out`,
  ]);
  printText(context, renderTable(["CLUSTER", "KIND", "LOGIN", "STATE", "SINCE", "APPS"], rows));
  return EXIT.done;
}
