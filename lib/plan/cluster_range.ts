/**
 * Which range a cluster's names get addresses from. A cluster says which it would like; what its user's other
 * networks may use it gets only by the user's word, and root's. Pure.
 *
 * @module
 */
import { readVirtualRange } from "../config/mod.ts";
import { CGNAT, formatPrefix, overlaps, type Prefix } from "../ip/mod.ts";
import { clustersOf, type PlanSource, type PublishedCluster } from "./view.ts";
import type { PlanWarning } from "./warnings.ts";

/** What the user said when asked whether a cluster may have a range. */
export interface RangeWord {
  /** The login's name. */
  readonly profile: string;
  /** As the cluster says it: another range is another question. */
  readonly range: string;
  readonly isTaken: boolean;
}

/** Everything that was said about ranges of private networks. */
export interface RangeConsent {
  readonly words: readonly RangeWord[];
  /** Where root lets ranges lie beside 100.64.0.0/10; `null` when nobody asked the helper. */
  readonly granted: readonly Prefix[] | null;
}

/** Nobody was asked. */
export const NO_CONSENT: RangeConsent = { words: [], granted: null };

/** How a cluster stands to a range of private networks that it wants. */
export interface PrivateRange {
  readonly profile: string;
  readonly cluster: string;
  readonly range: Prefix;
  /** `forbidden`: the user agreed, and root does not allow it. */
  readonly state: "taken" | "unasked" | "declined" | "forbidden";
}

/** Where names get addresses whose cluster has no range of its own. */
export const DEFAULT_RANGE = CGNAT;

/** How many words are kept: a cluster may change its mind for ever. */
export const MAX_RANGE_WORDS = 64;

/** Where a cluster's range lies. */
export interface ClusterRange {
  readonly range: Prefix;
  /** Whether it is the default, in the place of one that the cluster cannot have. */
  readonly isInstead: boolean;
}

/** Finds the range of a cluster of a login. @param warnings Gets what there is to say. */
export function rangeOf(
  cluster: PublishedCluster,
  profile: string,
  consent: RangeConsent,
  warnings: PlanWarning[],
): ClusterRange {
  const verdict = readVirtualRange(cluster.range);
  const instead = { range: DEFAULT_RANGE, isInstead: true };
  if (verdict.kind === "refused") {
    const { name, range } = cluster;
    const message =
      `Cluster "${name}" wants addresses of "${range}", and cannot have them: ${verdict.why}; its names get addresses of ${
        formatPrefix(DEFAULT_RANGE)
      }`;
    const hint = "Ask an administrator to correct ipv4_cidr_range in the cluster's vnet_config";
    warnings.push({ code: "range-invalid", message, hint });
    return instead;
  }
  const { range } = verdict;
  if (isOurs(range)) return { range, isInstead: false };
  const state = stateOf(profile, range, consent);
  if (state === "taken") return { range, isInstead: false };
  const warning = warningOf(cluster.name, range, state);
  if (warning !== null) warnings.push(warning);
  return instead;
}

/** Lists the ranges of private networks that clusters want, each once a login. */
export function privateRanges(
  sources: readonly PlanSource[],
  consent: RangeConsent,
): readonly PrivateRange[] {
  const found = new Map<string, PrivateRange>();
  for (const { profile, view } of sources) {
    for (const { name: cluster, range: text } of clustersOf(view)) {
      const verdict = readVirtualRange(text);
      if (verdict.kind === "refused" || isOurs(verdict.range)) continue;
      const { range } = verdict;
      const key = `${profile} ${formatPrefix(range)}`;
      if (found.has(key)) continue;
      found.set(key, { profile, cluster, range, state: stateOf(profile, range, consent) });
    }
  }
  return [...found.values()];
}

/** Keeps a word, in the place of an earlier one about the same. */
export function withRangeWord(
  words: readonly RangeWord[],
  word: RangeWord,
): readonly RangeWord[] {
  const others = words.filter(({ profile, range }) =>
    profile !== word.profile || range !== word.range
  );
  return [...others, word].slice(-MAX_RANGE_WORDS);
}

function stateOf(
  profile: string,
  range: Prefix,
  { words, granted }: RangeConsent,
): PrivateRange["state"] {
  const text = formatPrefix(range);
  const word = words.find((word) => word.profile === profile && word.range === text);
  if (word === undefined) return "unasked";
  if (!word.isTaken) return "declined";
  const isGranted = granted === null || granted.some((space) => holds(space, range));
  return isGranted ? "taken" : "forbidden";
}

function warningOf(
  cluster: string,
  range: Prefix,
  state: Exclude<PrivateRange["state"], "taken">,
): PlanWarning | null {
  const text = formatPrefix(range);
  const wants = `Cluster "${cluster}" wants addresses of ${text}`;
  const instead = `its names get addresses of ${formatPrefix(DEFAULT_RANGE)}`;
  switch (state) {
    case "unasked":
      return {
        code: "range-unasked",
        message: `${wants}, which your other networks may use: ${instead}`,
        hint:
          "Run `sudo vnet restart` at a terminal (`vnet restart` where the helper service runs): it asks whether to take them",
      };
    case "forbidden":
      return {
        code: "range-forbidden",
        message: `${wants}, and root does not allow it: ${instead}`,
        hint:
          `Run \`sudo vnet restart\` at a terminal, or have root add ${text} to \`ranges\` in /etc/vnet/helper.yaml`,
      };
    case "declined":
      return null; // They know.
    default:
      return state satisfies never;
  }
}

/** Nobody's network but a carrier's lies there. */
function isOurs(range: Prefix): boolean {
  return holds(CGNAT, range);
}

function holds(space: Prefix, range: Prefix): boolean {
  return space.length <= range.length && overlaps(space, range);
}
