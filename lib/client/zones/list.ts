/**
 * The zones as `vnet zones` shows and changes them: by the daemon if it runs, else in its files.
 *
 * @module
 */
import { VnetError } from "../../error.ts";
import type { ZonesV1 } from "../../status/mod.ts";
import { readKnown } from "../cluster/known.ts";
import { ControlClient } from "../control/client.ts";
import { knownState } from "../known_state.ts";
import type { Paths } from "../paths.ts";
import { decideZone, type ZoneRequest } from "./decide.ts";
import { readWords, writeWords } from "./files.ts";
import { readKnowledge, zoneLoginOf } from "./known.ts";
import { renderZones } from "./render.ts";

/** Lists how clusters stand to zones. */
export async function listZones(paths: Paths, nowMs: number): Promise<ZonesV1> {
  using control = new ControlClient(paths.controlSocket);
  try {
    return await control.zones();
  } catch (thrown) {
    if (!isDown(thrown)) throw thrown;
  }
  return await savedZones(paths, nowMs);
}

/**
 * Decides about a zone; in force at once where a daemon runs. @returns How things stand then.
 *
 * @throws UsageError where it is not clear what is meant
 */
export async function changeZone(
  paths: Paths,
  request: ZoneRequest,
  nowMs: number,
): Promise<ZonesV1> {
  using control = new ControlClient(paths.controlSocket);
  try {
    return await control.decideZone(request);
  } catch (thrown) {
    if (!isDown(thrown)) throw thrown;
  }
  const known = await readKnown(paths);
  const { plan: { standings } } = await knownState(paths, known, { nowMs });
  const change = decideZone(request, { standings, logins: known.map(zoneLoginOf) }, nowMs);
  await writeWords(paths, change(await readWords(paths)));
  return await savedZones(paths, nowMs);
}

async function savedZones(paths: Paths, nowMs: number): Promise<ZonesV1> {
  const known = await readKnown(paths);
  const { plan: { standings } } = await knownState(paths, known, { nowMs });
  const { words, findings } = await readKnowledge(paths, nowMs);
  return renderZones({ standings, words, findings, source: "saved-state" });
}

function isDown(thrown: unknown): boolean {
  return thrown instanceof VnetError && thrown.code === "daemon-not-running";
}
