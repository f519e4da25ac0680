/**
 * Connections for people: what each app's add up to, then the latest.
 *
 * @module
 */
import { formatMs } from "../../health/mod.ts";
import type { ConnectionsV1 } from "../../status/mod.ts";
import { renderMoment } from "./moment.ts";
import { counted } from "./plural.ts";
import { renderTable } from "./table.ts";

type Connection = ConnectionsV1["connections"][number];

/** What a screen holds; JSON has all. */
const MAX_SHOWN = 50;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

interface RenderOptions {
  readonly nowMs: number;
  /** That of this machine, if not given. */
  readonly timeZone?: string;
}

/** Writes the connections as text, newest first. */
export function renderConnections(
  { apps, connections }: ConnectionsV1,
  options: RenderOptions,
): string {
  if (apps.length === 0) return "No program has connected to an app since vnet started\n";
  const several = new Set(apps.map(({ cluster }) => cluster)).size > 1;
  const sums = renderTable(
    ["APP", ...(several ? ["CLUSTER"] : []), "OPEN", "SO FAR", "FAILED", "SENT", "RECEIVED"],
    apps.map((sum) => [
      nameOf(sum),
      ...(several ? [sum.cluster] : []),
      `${sum.active}`,
      `${sum.opened_total}`,
      `${sum.failed_total}`,
      formatBytes(sum.sent_bytes),
      formatBytes(sum.received_bytes),
    ]),
  );
  if (connections.length === 0) return sums;
  const rows = connections.slice(0, MAX_SHOWN).map((one) => [
    nameOf(one),
    renderState(one),
    renderMoment(Date.parse(one.started), options.nowMs, options.timeZone),
    one.duration_ms === undefined ? "-" : formatMs(one.duration_ms),
    formatBytes(one.sent_bytes),
    formatBytes(one.received_bytes),
    renderProgram(one),
    renderWhy(one),
  ]);
  const latest = renderTable(
    ["APP", "STATE", "SINCE", "LASTED", "SENT", "RECEIVED", "PROGRAM", "WHY"],
    rows,
  );
  const more = connections.length - rows.length;
  const rest = more > 0 ? `and ${counted(more, "connection")} before: --format json has all\n` : "";
  return `${sums}\n${latest}${rest}`;
}

/** Writes a number of bytes as people say it: `4.2 MiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(
    bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10),
    UNITS.length - 1,
  );
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[power]}`;
}

function nameOf({ app, port }: { readonly app: string; readonly port?: number | undefined }) {
  return port === undefined ? app : `${app}:${port}`;
}

function renderState({ state, waits_for }: Connection): string {
  if (waits_for === undefined) return state;
  return waits_for === "login" ? "waits for a login" : "waits for your second factor";
}

function renderProgram({ program, pid, uid }: Connection): string {
  const who = program?.replace(/^.*\//, "") ?? (uid === undefined ? "-" : `user ${uid}`);
  return pid === undefined ? who : `${who} (${pid})`;
}

function renderWhy({ error, reason }: Connection): string {
  if (error !== undefined) return `${error.message} [${error.code}]`;
  return reason ?? "";
}
