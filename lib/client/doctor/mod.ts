/**
 * Measures this machine for `vnet doctor`, and repairs what a killed vnet left.
 *
 * @module
 */
export { gather } from "./gather.ts";
export { describeHost } from "./host.ts";
export { repairLeftovers, type RepairStep } from "./repair.ts";
export { renderReport } from "./report.ts";
export type { Target } from "./target.ts";
