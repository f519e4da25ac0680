/**
 * What is known about whose a zone is, beside what the clusters themselves say: the words of the user and of this
 * machine's administrator, and the TXT records of the zones.
 *
 * @module
 */
import type { DomainName } from "../dns/mod.ts";

/** How a cluster came by a zone. */
export type GrantBy =
  /** It lies at or below the proxy that the login goes to. */
  | "own"
  /** A TXT record on the zone names the cluster. */
  | "txt"
  /** The user said so. */
  | "user"
  /** The administrator of this machine said so. */
  | "admin";

/** What the user decided about a zone; remembered. */
export interface ZoneWord {
  readonly suffix: DomainName;
  /** The login it is about, by its profile's name, and the cluster there; `null` is any. */
  readonly profile: string | null;
  readonly cluster: string | null;
  /** `later`: they were asked, and said neither. */
  readonly verdict: "allow" | "deny" | "later";
  readonly sinceMs: number;
}

/** A zone that the administrator of this machine gives to whatever is behind a proxy. */
export interface AdminGrant {
  readonly suffix: DomainName;
  /** A profile's name: `HOST`, or `HOST:PORT` where that is not 443. */
  readonly proxy: string;
}

/** What the TXT records of a zone are taken to say at this moment. */
export interface ZoneProof {
  /** The clusters and proxies that they name, in lower case, and since when. */
  readonly names: readonly { readonly name: string; readonly sinceMs: number }[];
  /** Why no record could be read; `null` when the last question was answered. */
  readonly failure: string | null;
}

/** All of it. */
export interface ZoneKnowledge {
  readonly words: readonly ZoneWord[];
  readonly admin: readonly AdminGrant[];
  /** By zone; one that is not there was not asked for yet. */
  readonly proofs: ReadonlyMap<DomainName, ZoneProof>;
}

/** Nobody said anything. */
export const NOTHING_SAID: ZoneKnowledge = { words: [], admin: [], proofs: new Map() };

/** Of all words on one zone, those that are about others than this one's subject stay, and this one is added. */
export function withWord(
  words: readonly ZoneWord[],
  word: Omit<ZoneWord, "verdict"> & { readonly verdict: ZoneWord["verdict"] | "forget" },
): readonly ZoneWord[] {
  const { suffix, profile, cluster, verdict, sinceMs } = word;
  const isMeant = (other: ZoneWord) =>
    other.suffix === suffix &&
    // A decision for one cluster ends those for others; one about all clusters ends all.
    (verdict === "allow" && other.verdict === "allow" ||
      profile === null ||
      other.profile === profile && (cluster === null || other.cluster === cluster));
  const kept = words.filter((other) => !isMeant(other));
  if (verdict === "forget") return kept;
  return [...kept, { suffix, profile, cluster, verdict, sinceMs }].slice(-MAX_WORDS);
}

/** How many decisions are remembered; the oldest goes first. */
export const MAX_WORDS = 1_000;
