import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import { command } from "@optique/core/primitives";
import type { StatusV1 } from "../../status/mod.ts";
import { type Action, type Context, printJson } from "../context.ts";
import { EXIT } from "../exit.ts";
import { format } from "./options.ts";

export const status = command(
  "status",
  map(object({ format }), (options): Action => (context) => run(context, options.format)),
  { brief: message`Show whether vnet is up, what it answers for and who is connected` },
);

async function run(context: Context, form: "text" | "json"): Promise<number> {
  const { ControlClient } = await import("../../client/control/client.ts");
  using control = new ControlClient(context.paths.controlSocket);
  const status = await control.status();
  if (form === "json") printJson(context, status);
  else context.stdout(renderStatus(status));
  return EXIT.done;
}

/** Writes a status for people: one fact a line, the state first, what hurts last. */
export function renderStatus(status: StatusV1): string {
  const lines: string[] = [
    `vnet is ${status.state} (version ${status.version}, pid ${status.pid}, up ${
      renderDuration(status.uptime_ms)
    })`,
  ];
  for (const profile of status.profiles) {
    const refused = profile.error === undefined ? "" : `: ${profile.error}`;
    lines.push(
      `  cluster   ${profile.cluster} as ${profile.user} through ${profile.proxy}, ` +
        `${profile.state}, until ${profile.expires}${refused}`,
    );
  }
  if (status.link !== undefined) {
    const { name, ipv4, ipv6, ranges } = status.link;
    lines.push(
      `  link      ${name} ${ipv4}${ipv6 === undefined ? "" : ` ${ipv6}`}, ${ranges.join(" ")}`,
    );
  }
  if (status.dns !== undefined) {
    const { backend, server, zones, upstreams } = status.dns;
    lines.push(
      `  dns       ${backend}, server ${server}, upstream ${upstreams.join(" ") || "none"}`,
    );
    lines.push(`  zones     ${zones.join(" ") || "none"}`);
  }
  const { active, opened_total, refused_total, flows, recent_failures, refused_owners = [] } =
    status.connections;
  lines.push(`  apps      ${status.apps_total}`);
  lines.push(`  flows     ${active} open, ${opened_total} so far, ${refused_total} refused`);
  for (const flow of flows) lines.push(`            ${flow.name}:${flow.port} ${flow.state}`);
  for (const { uid, total } of refused_owners) {
    lines.push(
      `            ${total} refused of ${uid === undefined ? "containers" : `uid ${uid}`}`,
    );
  }
  for (const failure of recent_failures) {
    lines.push(
      `  refused   ${failure.at} ${failure.name}:${failure.port} ${failure.message}${
        renderWho(failure)
      } [${failure.code}]`,
    );
  }
  for (const finding of status.findings) {
    lines.push(`  warning   ${finding.message} [${finding.code}]`);
    if (finding.hint !== undefined) lines.push(`            ${finding.hint}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Says who it was and how often, as far as there is something to say. */
function renderWho(failure: StatusV1["connections"]["recent_failures"][number]): string {
  const isForeign = failure.code === "owner-refused" && failure.uid !== undefined;
  const parts = [
    ...(isForeign ? [`uid ${failure.uid}`] : []),
    ...(failure.program === undefined ? [] : [failure.program]),
    ...(failure.count === undefined || failure.count < 2 ? [] : [`${failure.count} times`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function renderDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).map(([count, unit]) => `${count}${unit}`).join("");
}
