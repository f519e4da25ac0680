/**
 * What clusters publish, and what this machine makes of it: zones and whose they are, names, targets, ranges. Pure:
 * the same views give the same plan.
 *
 * @module
 */
export {
  MAX_RANGE_WORDS,
  NO_CONSENT,
  type PrivateRange,
  privateRanges,
  type RangeConsent,
  type RangeWord,
  withRangeWord,
} from "./cluster_range.ts";
export {
  type AdminGrant,
  type GrantBy,
  MAX_WORDS,
  NOTHING_SAID,
  withWord,
  type ZoneKnowledge,
  type ZoneProof,
  type ZoneWord,
} from "./knowledge.ts";
export type { NameClaim, NameObjection, RefusedName } from "./match.ts";
export {
  allowsPort,
  type AppRef,
  type AppTarget,
  compilePlan,
  grantOf,
  type Plan,
  renderPorts,
} from "./plan.ts";
export { type AppWish, findApp, type FoundApp } from "./find_app.ts";
export {
  foreignPrefixes,
  type NetworkFacts,
  type PlaceOptions,
  placeRanges,
  type RangeMove,
} from "./place.ts";
export {
  believedProof,
  EMPTY_PROOF,
  nextQuestionMs,
  noteOutcome,
  readTxtAnswer,
  readTxtTexts,
  type TxtOutcome,
  type ZoneRecord,
} from "./records.ts";
export {
  type AppView,
  type AwayApp,
  clustersOf,
  type ClusterView,
  ClusterViewSchema,
  type CustomZone,
  type PlanSource,
  type PublishedCluster,
  type TcpApp,
} from "./view.ts";
export { describeRefusal, type PlanWarning } from "./warnings.ts";
export { describeCluster, tryParseName, type ZoneStanding, type ZoneState } from "./zones.ts";
