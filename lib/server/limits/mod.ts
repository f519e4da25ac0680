/**
 * How much of anything one source, one user, or a crowd of sources may have. Pure: the time is an argument, nothing is
 * logged, every table has a bound.
 *
 * @module
 */
export { FairQueue, type Lane } from "./fair_queue.ts";
export { type FairPlace, FairTable } from "./fair_table.ts";
export { GrowingDelay } from "./growing_delay.ts";
export { Handshakes } from "./handshakes.ts";
export { LoginPolicy, type LoginTry } from "./login_policy.ts";
export { Standing } from "./standing.ts";
export { Tally } from "./tally.ts";
export { type Rate, SourceBuckets, TokenBuckets } from "./token_buckets.ts";
