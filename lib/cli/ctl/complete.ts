/**
 * What a shell completes for `vnet ctl get`, `rm` and `edit`: kinds, and once one is written, the names there are.
 *
 * @module
 */
import { RESOURCE_KINDS } from "../../config/mod.ts";
import type { ConfigContext } from "../context.ts";
import { openAdmin } from "./open.ts";
import { parseWhat } from "./what.ts";

/** A server that takes longer has nothing to say: somebody waits at the keyboard. */
const DEADLINE_MS = 500;

/** What may stand for `KIND/NAME`, and for a `NAME` behind a kind. */
export interface ResourceWords {
  readonly kind: readonly string[];
  readonly resource: readonly string[];
}

/**
 * Asks the server for names, if names are what is being typed. Where it cannot be asked there are none.
 *
 * @param words From `ctl` on; the last one is being typed.
 */
export async function completeResources(
  context: ConfigContext,
  words: readonly string[],
): Promise<ResourceWords> {
  const known = RESOURCE_KINDS;
  const [, act = "", what = "", ...more] = words.filter((word) => !word.startsWith("-"));
  if (!["get", "rm", "edit"].includes(act)) return { kind: known, resource: [] };
  if (more.length === 1) return { kind: [], resource: await namesOf(context, what) };
  const slash = what.indexOf("/");
  if (slash < 0) return { kind: known, resource: [] };
  // As it was written: `users/` is completed to `users/alice`.
  const kind = what.slice(0, slash);
  const names = await namesOf(context, kind);
  return { kind: names.map((name) => `${kind}/${name}`), resource: [] };
}

async function namesOf(context: ConfigContext, text: string): Promise<readonly string[]> {
  try {
    const { kind } = parseWhat(text, undefined);
    using admin = await openAdmin(context);
    const { resources } = await admin.call("resources.get", { kind }, {
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    return resources.map(({ metadata: { name } }) => name);
  } catch {
    return [];
  }
}
