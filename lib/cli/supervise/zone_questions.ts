/**
 * Asks once about each zone that a cluster wants and nobody decided about yet.
 *
 * @module
 */
import { VnetError } from "../../error.ts";
import type { ZonesV1 } from "../../status/mod.ts";
import { askChoice } from "../ask.ts";
import { type Context, tell } from "../context.ts";

/** More at once is no question any more. */
const MAX_QUESTIONS = 5;

type Zone = ZonesV1["zones"][number];

/** Asks the person at the terminal, if there is one and vnet is up; what was answered is in force at once. */
export async function askAboutZones(context: Context): Promise<void> {
  if (!context.stdinIsTerminal || !context.stderrIsTerminal || context.globals.quiet) return;
  const { changeZone, ControlClient } = await import("../../client/mod.ts");
  using control = new ControlClient(context.paths.controlSocket);
  const found = await control.zones().catch(() => null);
  if (found === null) return;
  for (const zone of openQuestions(found).slice(0, MAX_QUESTIONS)) {
    const { suffix, proxy } = zone;
    const verdict = await askOne(context, zone);
    await changeZone(context.paths, { suffix, cluster: proxy, verdict }, context.nowMs());
    if (verdict === "later") {
      tell(context, `Not asked again: \`vnet zones allow ${suffix} --cluster ${proxy}\``);
    }
  }
}

/** Zones that are pending, and that nobody was asked about. */
export function openQuestions({ zones, decisions }: ZonesV1): readonly Zone[] {
  return zones.filter(({ suffix, proxy, state, kind }) =>
    state === "pending" && kind === "custom" &&
    !decisions.some((decision) => decision.suffix === suffix && decision.proxy === proxy)
  );
}

async function askOne(context: Context, { suffix, cluster, why }: Zone) {
  const question = `Cluster ${cluster} asks for all names below ${suffix} (${why}). Let it?`;
  return await askChoice(context, question, [
    { value: "later", label: "Not now" },
    { value: "allow", label: `Yes, ${suffix} is ${cluster}'s` },
    { value: "deny", label: "No, never" },
  ]).catch((thrown) => {
    if (thrown instanceof VnetError && thrown.code === "cancelled") return "later" as const;
    throw thrown;
  });
}
