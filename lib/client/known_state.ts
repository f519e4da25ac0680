/**
 * The state that a daemon would begin with, from disk alone: for every command that works with the daemon down.
 *
 * @module
 */
import type { Prefix } from "../ip/mod.ts";
import type { ZoneKnowledge } from "../plan/mod.ts";
import { readBook } from "./book_file.ts";
import { readRangeWords } from "./range_words.ts";
import { loadSettings } from "./saved_settings.ts";
import { type KnownCluster, sourcesOf } from "./cluster/known.ts";
import type { Paths } from "./paths.ts";
import { readKnowledge } from "./zones/known.ts";
import { compileState, firstState, type MachineFacts, type State } from "./state/mod.ts";

/** Ranges lie where they lay last, and nobody looks whether the machine has IPv6. */
const UNSEEN: MachineFacts = { foreign: null, hasIpv6: true, allDns: false };

interface KnownStateOptions {
  /** The range that the user chose; `null` for the clusters' own. What a crashed daemon was told if not given. */
  readonly range?: Prefix | null;
  readonly machine?: MachineFacts;
  /** Where root lets ranges lie beside 100.64.0.0/10; `null`, or not given: wherever the user agreed to. */
  readonly granted?: readonly Prefix[] | null;
  /** What a book is begun with where there is none; chance if not given. */
  readonly random?: Uint8Array<ArrayBuffer>;
  /** Whose the zones are; what is known on disk if not given. */
  readonly zones?: ZoneKnowledge;
  readonly nowMs: number;
}

/** Compiles what is known. @throws VnetError `leases-damaged` */
export async function knownState(
  paths: Pick<Paths, "stateDir" | "configDir">,
  known: readonly KnownCluster[],
  { range, machine = UNSEEN, granted = null, random, zones, nowMs }: KnownStateOptions,
): Promise<State> {
  const chosen = range === undefined ? (await loadSettings(paths.stateDir))?.cidr ?? null : range;
  return compileState(firstState(await readBook(paths.stateDir, random)), {
    sources: sourcesOf(known),
    logins: known.map(({ name, profile }) => ({
      name,
      cluster: profile.cluster,
      user: profile.user,
      isOver: profile.expiresMs <= nowMs,
      expiresMs: profile.expiresMs,
    })),
    range: chosen,
    zones: zones ?? (await readKnowledge(paths, nowMs)).knowledge,
    consent: { words: await readRangeWords(paths.stateDir), granted },
    machine,
    nowMs,
  });
}
