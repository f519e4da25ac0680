/**
 * By which link packets leave, as the kernel says it when asked by the program `ip`.
 *
 * @module
 * @see ip-route(8)
 */
import type { Measured, Way } from "../../../health/mod.ts";
import { formatIp } from "../../../ip/mod.ts";
import type { WayTarget } from "../../host_facts.ts";

/** Asks by which link packets of a user leave for some addresses, policy rules and all. */
export async function findWays(
  targets: readonly WayTarget[],
  { uid, signal }: { readonly uid: number; readonly signal: AbortSignal },
): Promise<Measured<readonly Way[]>> {
  const asked = await Promise.all(targets.map((target) => findWay(target, uid, signal)));
  const failed = asked.find((answer) => answer.kind === "unknown");
  if (failed !== undefined) return failed;
  return {
    kind: "measured",
    value: asked.flatMap((answer) => answer.kind === "measured" ? [answer.value] : []),
  };
}

async function findWay(
  { target, what }: WayTarget,
  uid: number,
  signal: AbortSignal,
): Promise<Measured<Way>> {
  const args = ["-j", "route", "get", formatIp(target), "uid", `${uid}`];
  const command = new Deno.Command("ip", { args, stdin: "null", signal });
  const output = await command.output().catch((thrown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  });
  if (output === null) return { kind: "unknown", reason: "there is no program `ip` here" };
  if (output.code === 0) {
    const link = parseDevice(new TextDecoder().decode(output.stdout));
    return { kind: "measured", value: { target, what, link } };
  }
  const said = new TextDecoder().decode(output.stderr);
  if (isNoWay(said)) return { kind: "measured", value: { target, what, link: null } };
  return { kind: "unknown", reason: `ip ${args.join(" ")}: ${said.trim()}` };
}

/** Reads the device of the one route that was asked for; `null` where none is named. */
export function parseDevice(json: string): string | null {
  const rows: unknown = JSON.parse(json);
  const row: unknown = Array.isArray(rows) ? rows[0] : null;
  const device: unknown = typeof row === "object" && row !== null ? Reflect.get(row, "dev") : null;
  return typeof device === "string" ? device : null;
}

/** Whether the kernel refused because there is no way, and not for another reason. */
export function isNoWay(said: string): boolean {
  return /unreachable|No route|prohibited/i.test(said);
}
