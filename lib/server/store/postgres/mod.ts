/**
 * The store on PostgreSQL.
 *
 * @module
 */
export { Database as PostgresDatabase } from "./database.ts";
export { openPostgresStore } from "./postgres.ts";
