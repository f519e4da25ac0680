/**
 * How the host resolves names, and how to have it ask us about our zones: back ends for what is found on
 * Linux hosts, with a journal that survives a crash at any step.
 *
 * @module
 */

export { forgetJournal } from "./undo/forget.ts";
export { OsDns, repair } from "./os_dns.ts";
export { type Paths, pathsBelow, SYSTEM_PATHS } from "./find/paths.ts";
export { previewOsDns } from "./preview.ts";
export { readResolvedLink, type ResolvedLink } from "./backend/resolved_link.ts";
export { claimedReverseZones } from "./reverse_claims.ts";
export { type Change, type OsDnsRequest, serverNeedsPort53 } from "./types.ts";
