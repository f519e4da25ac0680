/**
 * Who is who and who may what: principals, claims, app ids, tickets, lifetimes, role decisions. Pure.
 *
 * @module
 */
export { type AccessDecision, decideAccess, maxSessionMs } from "./access.ts";
export {
  agentDnsName,
  appIdFromDigest,
  appIdSource,
  appServerName,
  parseAppServerName,
} from "./app_id.ts";
export {
  type AppClaims,
  type Claims,
  CLAIMS_OID,
  encodeClaims,
  encodeGrounds,
  type Grounds,
  GROUNDS_OID,
  parseExtensions,
  type UserClaims,
} from "./claims.ts";
export { decideFlow, type FlowDecision, isLocked, type Lock } from "./flow.ts";
export {
  appValidity,
  authorityValidity,
  hostValidity,
  MAX_APP_MS,
  renewalDueMs,
  userValidity,
  type Validity,
} from "./lifetime.ts";
export { decideLocal, type LocalPolicy, type LocalRefusal } from "./local_access.ts";
export { formatPrincipal, isPrincipalName, parsePrincipal, type Principal } from "./principal.ts";
export { resolveShares } from "./share.ts";
export {
  decodeTicket,
  encodeTicket,
  type Ticket,
  TICKET_MAC_BYTES,
  ticketPayload,
} from "./ticket.ts";
export { rightOf } from "./same_right.ts";
export { type ProviderClaims, type SignIn, signIn } from "./sign_in.ts";
export {
  homeOf,
  mapRoles,
  type RoleMap,
  rolesHere,
  type Trust,
  type TrustSet,
  userHere,
} from "./trust.ts";
