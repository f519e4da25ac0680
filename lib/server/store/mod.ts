/**
 * The store of the auth service; SQLite is the embedded form.
 *
 * @module
 */
export { backUpStore, restoreStore } from "./backup.ts";
export { openSqliteStore } from "./sqlite.ts";
export * from "./store.ts";
