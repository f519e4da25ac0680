/**
 * The auth service: users, roles, certificates, tokens, locks, audit, and the HTTP API over them.
 *
 * @module
 */
export { serveAdmin } from "./admin/api.ts";
export { AdminClient } from "./admin/client.ts";
export { type AdminResponse } from "./admin/shapes.ts";
export { type AuditFilter, isWanted } from "./audit/filter.ts";
export { SyslogSink } from "./audit/syslog.ts";
export { WebhookSink } from "./audit/webhook.ts";
export { Auth } from "./auth.ts";
export type { RootLink, Roots } from "./trust/roots.ts";
export * from "./types.ts";
