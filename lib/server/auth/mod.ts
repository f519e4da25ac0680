/**
 * The auth service: users, roles, certificates, tokens, locks, audit, and the HTTP API over them.
 *
 * @module
 */
export { Admin } from "./admin/admin.ts";
export { adminFetch, serveAdmin } from "./admin/api.ts";
export { AdminClient } from "./admin/client.ts";
export {
  ADMIN_OPERATIONS,
  type AdminArguments,
  type AdminOperation,
  type AdminRequest,
  type AdminResponse,
} from "./admin/shapes.ts";
export { Auth } from "./auth.ts";
export { type WebCertificateStatus } from "./admin/shapes.ts";
export * from "./types.ts";
