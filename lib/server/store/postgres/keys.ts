/**
 * Locks that are held at the server and stand for no table. Each is a pair of numbers.
 *
 * @module
 */

/** The pairs of vnet begin with this one; the second number says what for. */
export const LOCK_CLASS = 1_986_948_468;

/** Held by whoever brings the schema up to date. */
export const SCHEMA_LOCK = 1;
/** Held by the server that serves from the database, for as long as it runs. */
export const SERVER_LOCK = 2;
/** Held by whoever forgets what has expired. */
export const PRUNE_LOCK = 3;

/** For what is counted of one user or source; the second number is a hash of which. */
export const LOGIN_LOCK_CLASS = LOCK_CLASS + 1;
