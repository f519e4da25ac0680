import { object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional } from "@optique/core/modifiers";
import { argument, command, option } from "@optique/core/primitives";
import type { ZoneRequest } from "../../../client/mod.ts";
import type { ZonesV1 } from "../../../status/mod.ts";
import { type Action, type Context, printJson, printText, tell } from "../../context.ts";
import { EXIT } from "../../exit.ts";
import { known } from "../../grammar/known_values.ts";
import { format } from "../options.ts";

const zone = () =>
  argument(known("zone", "SUFFIX"), {
    description: message`The zone: company.test stands for all names below it.`,
  });

const ls = command(
  "ls",
  map(object({ format }), (options): Action => (context) => list(context, options.format)),
  {
    brief: message`List the zones that clusters ask for: whose each is, why, since when`,
    description:
      message`GRANT is "own" (at or below the login's own proxy), "txt" (a TXT record on the zone names the cluster), "user" (you said yes) or "admin" (/etc/vnet/client.yaml). Works while vnet is down, with the last known state.`,
  },
);

const allow = command(
  "allow",
  map(
    object({
      suffix: zone(),
      cluster: optional(option("--cluster", known("cluster", "NAME"), {
        description:
          message`Whose it is: a cluster, or the proxy of a login. Not needed if only one asks for it.`,
      })),
    }),
    (options): Action => (context) => decide(context, "allow", options),
  ),
  {
    brief: message`Let a cluster have the names below a zone`,
    description:
      message`Remembered, and in force at once. It settles a zone that several clusters have a right to.`,
  },
);

const deny = command(
  "deny",
  map(
    object({
      suffix: zone(),
      cluster: optional(option("--cluster", known("cluster", "NAME"), {
        description: message`Deny it to this cluster only, and not to all.`,
      })),
    }),
    (options): Action => (context) => decide(context, "deny", options),
  ),
  {
    brief: message`Let no cluster have the names below a zone, whatever TXT records say`,
    description: message`Remembered, and in force at once. "vnet zones forget" undoes it.`,
  },
);

const forget = command(
  "forget",
  map(
    object({
      suffix: zone(),
      cluster: optional(option("--cluster", known("cluster", "NAME"), {
        description: message`Forget what was decided about this cluster only.`,
      })),
    }),
    (options): Action => (context) => decide(context, "forget", options),
  ),
  { brief: message`Forget what you allowed or denied: TXT records decide again` },
);

export const zones = command("zones", or(ls, allow, deny, forget), {
  brief: message`Show and decide which cluster has which zone`,
});

async function list(context: Context, form: "text" | "json"): Promise<number> {
  const { listZones } = await import("../../../client/mod.ts");
  const found = await listZones(context.paths, context.nowMs());
  if (form === "json") printJson(context, found);
  else await printZones(context, found);
  return EXIT.done;
}

async function printZones(context: Context, found: ZonesV1): Promise<void> {
  const { renderMoment } = await import("../../text/moment.ts");
  const { renderTable } = await import("../../text/table.ts");
  const since = (at: string | undefined) =>
    at === undefined ? "-" : renderMoment(Date.parse(at), context.nowMs());
  for (const { message, code, hint } of found.findings) {
    tell(context, `warning: ${message} [${code}]`);
    if (hint !== undefined) tell(context, `hint: ${hint}`);
  }
  const asked = found.zones.map((zone) => [
    zone.suffix,
    zone.state,
    zone.grant ?? "-",
    zone.cluster === zone.proxy ? zone.cluster : `${zone.cluster} (${zone.proxy})`,
    since(zone.since),
    zone.why,
  ]);
  // What was decided before any cluster asked.
  const decided = found.decisions.filter(({ suffix, verdict }) =>
    verdict !== "later" && !found.zones.some((zone) => zone.suffix === suffix)
  ).map(({ suffix, verdict, cluster, proxy, since: at }) => [
    suffix,
    verdict === "allow" ? "allowed" : "denied",
    "-",
    cluster ?? proxy ?? "every cluster",
    since(at),
    `you said ${verdict === "allow" ? "yes" : "no"}; nobody asks for it`,
  ]);
  const rows = [...asked, ...decided];
  if (rows.length === 0) return tell(context, "No zones: no cluster asked for any yet");
  printText(context, renderTable(["ZONE", "STATE", "GRANT", "CLUSTER", "SINCE", "WHY"], rows));
}

async function decide(
  context: Context,
  verdict: ZoneRequest["verdict"],
  options: { readonly suffix: string; readonly cluster: string | undefined },
): Promise<number> {
  const { suffix, cluster = null } = options;
  if (Deno.uid() === 0 && context.owner.uid !== 0) {
    // The file with decisions is the owner's.
    const { runAsOwner } = await import("../../as_owner.ts");
    const named = cluster === null ? [] : ["--cluster", cluster];
    const isDone = await runAsOwner(context, ["zones", verdict, suffix, ...named]);
    return isDone ? EXIT.done : EXIT.failed;
  }
  const { changeZone } = await import("../../../client/mod.ts");
  const found = await changeZone(context.paths, { suffix, cluster, verdict }, context.nowMs());
  const name = suffix.toLowerCase().replace(/\.$/, "");
  const about = found.zones.filter((zone) => zone.suffix === name);
  for (const line of about.map(describeStanding)) tell(context, line);
  if (about.length === 0) tell(context, `Remembered for "${name}"; no cluster asks for it now`);
  return EXIT.done;
}

/** How it stands now, in a line. */
export function describeStanding(zone: ZonesV1["zones"][number]): string {
  const { suffix, cluster, state, why } = zone;
  return state === "served"
    ? `"${suffix}" is ${cluster}'s: ${why}`
    : `"${suffix}" is not ${cluster}'s (${state}): ${why}`;
}
