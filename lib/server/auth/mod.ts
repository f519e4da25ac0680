/**
 * The auth service: users, roles, certificates, tokens, locks, audit, and the HTTP API over them.
 *
 * @module
 */
export { serveAdmin } from "./admin/api.ts";
export { AdminClient } from "./admin/client.ts";
export { type AdminResponse } from "./admin/shapes.ts";
export { Auth } from "./auth.ts";
export * from "./types.ts";
