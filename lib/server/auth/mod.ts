/**
 * The auth service: users, roles, certificates, tokens, locks, audit, and the HTTP API over them.
 *
 * @module
 */
export { Admin } from "./admin.ts";
export { adminFetch, serveAdmin } from "./admin_api.ts";
export { AdminClient } from "./admin_client.ts";
export {
  ADMIN_OPERATIONS,
  type AdminArguments,
  type AdminOperation,
  type AdminRequest,
  type AdminResponse,
} from "./admin_shapes.ts";
export { Auth } from "./auth.ts";
export * from "./types.ts";
