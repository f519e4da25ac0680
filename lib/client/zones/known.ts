/**
 * Zones with the daemon down: what is on disk, shown and changed; with it up it is asked.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import {
  believedProof,
  clustersOf,
  NOTHING_SAID,
  type ZoneKnowledge,
  type ZoneWord,
} from "../../plan/mod.ts";
import type { KnownCluster } from "../cluster/known.ts";
import type { Finding } from "../daemon/findings.ts";
import type { Paths } from "../paths.ts";
import type { ZoneLogin } from "./decide.ts";
import { readAdminFile, readRecords, readWords } from "./files.ts";

interface Known {
  readonly knowledge: ZoneKnowledge;
  readonly words: readonly ZoneWord[];
  readonly findings: readonly Finding[];
}

/** Reads what is known about whose zones are. Decisions that cannot be read are a finding. */
export async function readKnowledge(
  paths: Pick<Paths, "configDir" | "stateDir">,
  nowMs: number,
): Promise<Known> {
  const { grants, refusal } = await readAdminFile();
  const findings = refusal === null ? [] : [refusal];
  let words: readonly ZoneWord[];
  try {
    words = await readWords(paths);
  } catch (thrown) {
    const damage: Finding = { code: "zones-damaged", message: describeError(thrown) };
    return { knowledge: NOTHING_SAID, words: [], findings: [...findings, damage] };
  }
  const records = await readRecords(paths);
  const proofs = new Map(
    records.map((record) => [record.suffix, believedProof(record, nowMs)]),
  );
  return { knowledge: { words, admin: grants, proofs }, words, findings };
}

/** A login with what its cluster says it is called, and those behind it. */
export function zoneLoginOf(
  { name, profile, view }: Pick<KnownCluster, "name" | "profile" | "view">,
): ZoneLogin {
  const clusters = view === null ? [profile.cluster] : clustersOf(view).map(({ name }) => name);
  return { profile: name, proxyHost: profile.proxy.host, clusters };
}
