/**
 * Brings vnet down, and leaves the machine as it was.
 *
 * @module
 */
import { forgetSettings, settingsPath } from "../../client/mod.ts";
import { runAsOwner } from "../as_owner.ts";
import { type Context, tell } from "../context.ts";
import { journalDir } from "../journal.ts";
import { askDown, findStatus, waitGone } from "./wait.ts";

/** Brings vnet down for good: the next start knows nothing of what this one was told. */
export async function bringDown(context: Context): Promise<void> {
  await endDaemon(context, { restart: false });
  await forgetLeft(context);
}

/** Ends the daemon, waits until the machine is as it was, and repairs what a crash left (root). */
export async function endDaemon(context: Context, how: { restart: boolean }): Promise<void> {
  const status = await findStatus(context.paths);
  const wasUp = await askDown(context.paths, how);
  if (wasUp) await waitGone(context, status?.pid ?? null);
  if (Deno.uid() === 0) {
    const { journal } = (await context.machine()).root;
    for (const line of await journal.repair(journalDir(context))) {
      tell(context, `Repaired: ${line}`);
    }
  }
  tell(context, wasUp ? "vnet is down" : "vnet was not up");
}

/** A daemon that ended by itself had no time to forget; root has the owner do it, in the owner's folder. */
async function forgetLeft(context: Context): Promise<void> {
  const { stateDir } = context.paths;
  if (await Deno.lstat(settingsPath(stateDir)).catch(() => null) === null) return;
  if (Deno.uid() === context.owner.uid) await forgetSettings(stateDir);
  else await runAsOwner(context, ["forget-settings"]);
}
