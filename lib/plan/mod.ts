/**
 * What clusters publish, and what this machine makes of it: zones, names, targets, ranges. Pure: the same views give
 * the same plan.
 *
 * @module
 */
export {
  allowsPort,
  type AppRef,
  type AppTarget,
  compilePlan,
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
  type AppView,
  clustersOf,
  type ClusterView,
  ClusterViewSchema,
  type CustomZone,
  type PlanSource,
  type PublishedCluster,
  type TcpApp,
} from "./view.ts";
export type { PlanWarning } from "./warning.ts";
