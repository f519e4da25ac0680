/**
 * What a daemon was told, and whether that is what somebody wants.
 *
 * @module
 */
import { ControlClient, loadSettings, serviceRuntimeDir } from "../../client/mod.ts";
import {
  describeUpSettings,
  otherWishes,
  upArgs,
  type UpSettings,
  type UpWishes,
} from "../../config/mod.ts";
import { UsageError, VnetError } from "../../error.ts";
import type { Context } from "../context.ts";

/** @returns What the daemon that runs was told, else what the last one left that nobody brought down; or `null`. */
export async function toldSettings({ paths }: Context): Promise<UpSettings | null> {
  using control = new ControlClient(paths.controlSocket);
  return await control.settings().catch(() => loadSettings(paths.stateDir));
}

/** Whether the daemon of this owner is the service's; then its unit has the options. */
export function isServices({ paths, owner }: Context): boolean {
  return paths.runtimeDir === serviceRuntimeDir(owner);
}

/**
 * Refuses an `up` that wants what the daemon that is up does not do.
 *
 * @param told `null` if that cannot be found out.
 * @throws VnetError `already-up`
 */
export function refuseOthers(context: Context, wishes: UpWishes, told: UpSettings | null): void {
  const others = told === null ? wishes : otherWishes(wishes, told);
  const args = upArgs(others).join(" ");
  if (args === "") return;
  const how = told === null ? ", and does not say how" : ` ${describeUpSettings(told, others)}`;
  const restart = `${asRoot(context)}vnet restart ${args}`;
  throw new VnetError("already-up", `vnet is up already${how}`, {
    hint: isServices(context) ? inUnit(context, args) : `Run \`${restart}\` to change that`,
  });
}

/**
 * Refuses a restart with what only the service's unit can give.
 *
 * @throws UsageError
 */
export function refuseChanges(context: Context, wishes: UpWishes, told: UpSettings | null): void {
  const others = told === null ? wishes : otherWishes(wishes, told);
  const args = upArgs(others).join(" ");
  if (args === "") return;
  throw new UsageError("usage", `Cannot restart with ${args}: a service runs this daemon`, {
    hint: inUnit(context, args),
  });
}

function inUnit(context: Context, args: string): string {
  const { name } = context.owner;
  return `Change it with \`sudo systemctl edit vnet@${name}\`, or run \`vnet down\` and \`${
    asRoot(context)
  }vnet up ${args}\``;
}

/** How a person who ran this by sudo runs it again. */
function asRoot({ owner }: Context): string {
  return Deno.uid() === 0 && owner.uid !== 0 ? "sudo " : "";
}
