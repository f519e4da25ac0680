/**
 * Asks whether clusters may have ranges that other networks may use, once vnet is up and knows what they want.
 *
 * @module
 */
import { ControlClient } from "../../client/mod.ts";
import { VnetError } from "../../error.ts";
import { parsePrefix, type Prefix } from "../../ip/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { askYesNo } from "../ask.ts";
import type { Context } from "../context.ts";
import { agreeAsRoot } from "./roots_ranges.ts";

type Wanted = NonNullable<StatusV1["private_ranges"]>[number];

/** A person is asked no more than this at a time, however many leaves a cluster has; the rest stay warnings. */
const MAX_QUESTIONS = 4;

/**
 * Asks, where somebody sits who can answer, and has the daemon remember it. What is agreed to as root is root's word,
 * too.
 *
 * @returns The ranges that were agreed to.
 */
export async function askRanges(
  context: Context,
  { private_ranges = [] }: Pick<StatusV1, "private_ranges">,
): Promise<readonly Prefix[]> {
  const isRoot = Deno.uid() === 0;
  const open = openQuestions(private_ranges, isRoot);
  if (open.length === 0 || !context.stdinIsTerminal) return [];
  using control = new ControlClient(context.paths.controlSocket);
  const agreed: Prefix[] = [];
  for (const wanted of open) {
    const isTaken = await askYesNo(context, questionOf(wanted)).catch(notNow);
    if (isTaken === null) break;
    const { proxy: profile, range } = wanted;
    await control.decideRange({ profile, range, isTaken });
    if (!isTaken) continue;
    if (isRoot) await agreeAsRoot(context, parsePrefix(range));
    agreed.push(parsePrefix(range));
  }
  return agreed;
}

/** What nobody answered yet. Root is asked, too, where only the user has agreed. */
export function openQuestions(ranges: readonly Wanted[], isRoot: boolean): readonly Wanted[] {
  return ranges.filter(({ state }) => state === "unasked" || (isRoot && state === "forbidden"))
    .slice(0, MAX_QUESTIONS);
}

/** Ctrl-C leaves a question open, and vnet up. */
function notNow(thrown: unknown): null {
  if (thrown instanceof VnetError && thrown.code === "cancelled") return null;
  throw thrown;
}

/** The question, with what a yes would cost. */
export function questionOf({ cluster, range }: Wanted): string {
  return `Cluster ${
    JSON.stringify(cluster)
  } wants addresses of ${range}. If a network of yours uses them, you cannot reach it while vnet is up. Let it have them?`;
}
