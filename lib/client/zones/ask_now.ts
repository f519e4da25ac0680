/**
 * Asking for TXT records while no daemon runs, by the machine's own resolver; nothing is kept.
 *
 * @module
 */
import {
  believedProof,
  noteOutcome,
  readTxtTexts,
  type TxtOutcome,
  type ZoneKnowledge,
  type ZoneStanding,
} from "../../plan/mod.ts";
import { describeError } from "../../error.ts";
import { zonesToAsk } from "./keeper.ts";

/** As long as a start waits for them. */
const ASK_MS = 3_000;

/** Asks about every zone that a record decides about. @returns What is known then */
export async function askNow(
  knowledge: ZoneKnowledge,
  standings: readonly ZoneStanding[],
  nowMs: number,
): Promise<ZoneKnowledge> {
  const signal = AbortSignal.timeout(ASK_MS);
  const asked = await Promise.all(
    zonesToAsk(standings).map(async (zone) => {
      const outcome = await askSystem(zone, signal);
      return [
        zone,
        believedProof(noteOutcome(null, zone, outcome, nowMs), nowMs),
        outcome,
      ] as const;
    }),
  );
  const proofs = new Map(knowledge.proofs);
  for (const [zone, proof, { kind }] of asked) {
    if (kind === "answer" || !proofs.has(zone)) proofs.set(zone, proof);
  }
  return { ...knowledge, proofs };
}

/** Asks the machine's own resolver for the TXT records of a zone. */
export async function askSystem(zone: string, signal: AbortSignal): Promise<TxtOutcome> {
  try {
    const records = await Deno.resolveDns(`${zone}.`, "TXT", { signal });
    return readTxtTexts(records.map((strings) => strings.join("")));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return { kind: "answer", names: [] };
    return { kind: "failed", why: describeError(thrown) };
  }
}
