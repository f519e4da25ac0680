/**
 * Brings vnet down and up again with what it was told.
 *
 * @module
 */
import {
  DEFAULT_UP_SETTINGS,
  type UpSettings,
  upSettingsArgs,
  type UpWishes,
} from "../../config/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { type Context, tell } from "../context.ts";
import { sharedUids } from "../shares.ts";
import { askRanges } from "./ask_ranges.ts";
import { endDaemon } from "./bring_down.ts";
import { startReady } from "./bring_up.ts";
import { requireHelper } from "./places.ts";
import { rootsRanges } from "./roots_ranges.ts";
import { summarize } from "./summary.ts";
import { isServices, refuseChanges, toldSettings } from "./told.ts";
import { askDown, findStatus, notReady, waitGone, waitReady } from "./wait.ts";

/** Brings vnet down and up again, in the background: as wished, for the rest as it was. */
export async function restart(context: Context, wishes: UpWishes): Promise<void> {
  const status = await findStatus(context.paths);
  if (status !== null && isServices(context)) return await restartService(context, wishes, status);
  await requireHelper("bring vnet up");
  const told = await toldSettings(context) ?? DEFAULT_UP_SETTINGS;
  const settings = { ...told, ...wishes };
  await sharedUids(settings.share); // Whoever is unknown is told while vnet is still up.
  const kept = keptArgs(told, wishes);
  if (kept.length > 0) tell(context, `Keeping ${kept.join(" ")}`);
  await endDaemon(context, { restart: true });
  const allowed = await rootsRanges(context, { typed: wishes.cidr ?? null, keepsCidr: true });
  await startReady(context, { settings, detach: true, allowed });
}

/** What of the settings stays, as arguments. */
export function keptArgs(told: UpSettings, wishes: UpWishes): readonly string[] {
  const replaced = Object.keys(wishes) as (keyof UpSettings)[];
  const defaults = replaced.map((key) => [key, DEFAULT_UP_SETTINGS[key]]);
  return upSettingsArgs({ ...told, ...Object.fromEntries(defaults) });
}

/** Has the service manager start it anew. */
async function restartService(context: Context, wishes: UpWishes, { pid }: StatusV1) {
  const { paths, owner, signal } = context;
  refuseChanges(context, wishes, await toldSettings(context));
  await askDown(paths, { restart: true });
  await waitGone(context, pid);
  const status = await waitReady(paths, signal);
  if (status === null) throw notReady(signal, `See \`journalctl -u vnet@${owner.name}\``);
  await askRanges(context, status);
  tell(context, summarize(status));
}
