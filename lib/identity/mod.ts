/**
 * Who is who and who may what: principals, claims, app ids, tickets, lifetimes, role decisions. Pure.
 *
 * @module
 */
export {
  type AccessDecision,
  decideAccess,
  type Labels,
  matchesPattern,
  matchesSelector,
  maxSessionMs,
} from "./access.ts";
export {
  agentDnsName,
  APP_DOMAIN,
  appIdFromDigest,
  appIdSource,
  appServerName,
  isAppId,
  parseAgentDnsName,
  parseAppServerName,
} from "./app_id.ts";
export {
  type AppClaims,
  type Claims,
  CLAIMS_OID,
  encodeClaims,
  parseClaims,
  type UserClaims,
} from "./claims.ts";
export {
  decideFlow,
  type FlowDecision,
  type FlowPolicy,
  type FlowRefusal,
  type FlowRequest,
  isLocked,
  type Lock,
  type Lockable,
} from "./flow.ts";
export {
  appValidity,
  authorityValidity,
  BACKDATE_MS,
  HOST_MS,
  hostValidity,
  MAX_APP_MS,
  MAX_USER_MS,
  renewalDueMs,
  userValidity,
  type Validity,
} from "./lifetime.ts";
export {
  decideLocal,
  type LocalDecision,
  type LocalPolicy,
  type LocalRefusal,
} from "./local_access.ts";
export { formatPrincipal, isPrincipalName, parsePrincipal, type Principal } from "./principal.ts";
export { resolveShares, type Sharing } from "./share.ts";
export {
  decodeTicket,
  encodeTicket,
  type Ticket,
  TICKET_MAC_BYTES,
  ticketPayload,
} from "./ticket.ts";
export { rightOf } from "./same_right.ts";
