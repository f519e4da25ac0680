/**
 * The store of the auth service: in one SQLite file, or in a PostgreSQL database. What speaks to PostgreSQL is loaded
 * when it is wanted.
 *
 * @module
 */
export { backUpStore, restoreStore } from "./backup.ts";
export { copyStore, type StoreKind } from "./copy.ts";
export { openStore } from "./open.ts";
export { openSqliteStore } from "./sqlite.ts";
export * from "./store.ts";
