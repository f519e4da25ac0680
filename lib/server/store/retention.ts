/**
 * How much a store keeps, and for how long.
 *
 * @module
 */

/** Events kept in the store; the file of audit lines keeps all. */
export const MAX_EVENTS = 1_000_000;
/** Failed logins kept, whoever they name. */
export const MAX_FAILURES = 100_000;

/** How long a failed login may matter to anybody. */
export const FAILURE_KEPT_MS = 24 * 3_600_000;
/** How long a host is known to be a user's after the last login from there. */
export const SOURCE_KEPT_MS = 90 * 24 * 3_600_000;
/** An agent that did not renew its certificate for a day has none that holds; it stays in the list for a month. */
export const AGENT_KEPT_MS = 30 * 24 * 3_600_000;
/** Hosts kept of each user. */
export const MAX_KNOWN_EACH = 32;
