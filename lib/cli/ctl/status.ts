import { printableDocument } from "../../printable.ts";
import type { AdminResponse } from "../../server/mod.ts";
import { type Context, printJson } from "../context.ts";
import { EXIT } from "../exit.ts";
import { minuteOf, spanWords, whenWords } from "./times.ts";
import { type Form, openAdmin } from "./open.ts";

export type ClusterStatus = AdminResponse<"status">;

export async function status(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const found = await admin.call("status", {});
  if (form === "json") printJson(context, { schema: "vnet.ctl-status/1", ...found });
  else context.stdout(renderStatus(found, context.nowMs()));
  return EXIT.done;
}

/** Writes a cluster's status for people: one fact a line, what hurts under what it is about. */
export function renderStatus(given: ClusterStatus, nowMs: number): string {
  const found = printableDocument(given);
  const connected = found.agents.filter((agent) => agent.connected);
  const away = found.agents.filter((agent) => !agent.connected);
  const locked = found.agents.filter((agent) => agent.locked);
  const lines = [
    `cluster  ${found.cluster_name} (version ${found.server_version})`,
    `ca pin   ${found.ca_pin}`,
    `proxy    ${found.proxy_public_addrs.join(" ")}`,
    `running  for ${spanWords(nowMs - Date.parse(found.started))}, since ${
      minuteOf(found.started)
    }`,
    ...certificateLines(found, nowMs),
    `agents   ${connected.length} of ${found.agents.length} connected${
      connected.length === 0 ? "" : `: ${connected.map(({ name }) => name).join(", ")}`
    }`,
    ...away.map(({ name, last_seen }) =>
      `         ${name} was last seen ${whenWords(Date.parse(last_seen), nowMs)}, ${
        minuteOf(last_seen)
      }`
    ),
    ...locked.map(({ name }) => `         ${name} is locked out`),
    `apps     ${found.apps}${
      found.agents.some(({ refused }) => refused.length > 0)
        ? "; some are refused: `vnet ctl apps ls` says why"
        : ""
    }`,
    `users    ${found.users}, with ${counted(found.sessions, "login")} and ${
      counted(found.flows, "open connection")
    }`,
    `locks    ${found.locks}${found.locks === 0 ? "" : "; `vnet ctl get locks` shows them"}`,
  ];
  return `${lines.join("\n")}\n`;
}

function certificateLines(found: ClusterStatus, nowMs: number): string[] {
  const web = found.web_certificate;
  const lines: string[] = [];
  if (web !== undefined) {
    const from = web.source === "cluster"
      ? "issued by the cluster, renewed by itself"
      : `from ${web.cert_file}`;
    lines.push(`web      certificate for ${web.names.join(", ") || "no name"}, ${from}`);
    lines.push(`         ${validityWords(web.not_after, nowMs)}`);
    if (web.problem !== undefined) lines.push(`         problem: ${web.problem}`);
  }
  const first = found.authorities.map(({ not_after }) => not_after).sort()[0];
  if (first !== undefined) lines.push(`cas      ${validityWords(first, nowMs)}`);
  return lines;
}

function validityWords(notAfter: string, nowMs: number): string {
  const atMs = Date.parse(notAfter);
  return atMs < nowMs
    ? `expired ${whenWords(atMs, nowMs)}, at ${minuteOf(notAfter)}`
    : `good until ${minuteOf(notAfter)} (${spanWords(atMs - nowMs)} left)`;
}

function counted(count: number, what: string): string {
  return `${count === 0 ? "no" : count} ${what}${count === 1 ? "" : "s"}`;
}
