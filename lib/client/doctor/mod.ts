/**
 * Measures this machine for `vnet doctor`, and repairs what a killed vnet left.
 *
 * @module
 */
export { gather, type Gathered, type GatherOptions } from "./gather.ts";
export { describeHost } from "./host.ts";
export type { Attempt } from "./measure.ts";
export { repairLeftovers, type RepairOptions, type RepairStep } from "./repair.ts";
export { renderReport, type ReportOptions } from "./report.ts";
export type { Target } from "./target.ts";
