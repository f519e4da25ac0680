/**
 * What an agent decides for every flow, whatever the proxy or an earlier certificate said.
 *
 * @module
 */
import {
  type LockTarget,
  personalRole,
  portAllowed,
  type PortRange,
  type Role,
} from "../config/mod.ts";
import { type AccessDecision, decideAccess, type Labels } from "./access.ts";
import type { AppClaims } from "./claims.ts";
import type { Principal } from "./principal.ts";
import { rolesHere, type Trust, userHere } from "./trust.ts";

/** Something that is kept out until `expiresMs`; `null` is until the lock is removed. */
export interface Lock {
  readonly target: LockTarget;
  readonly expiresMs: number | null;
}

/** A flow somebody asks for: what their verified certificate says, and where to. */
export interface FlowRequest {
  readonly principal: Principal;
  readonly claims: AppClaims;
  readonly certificateExpiresMs: number;
  /** The app's name and port of the carrier, from the `dial` message. */
  readonly app: string;
  readonly port: number;
}

/** What the agent holds the request against: its own spec and the cluster's current policy. */
export interface FlowPolicy {
  readonly cluster: string;
  /** Whose users are let in, the cluster's own among them. */
  readonly trust: readonly Pick<Trust<unknown>, "cluster" | "roleMap">[];
  /** This agent's id. */
  readonly agentId: string;
  readonly app: {
    readonly name: string;
    readonly labels: Labels;
    readonly tcpPorts: readonly PortRange[] | null;
  };
  readonly roles: ReadonlyMap<string, Role>;
  readonly locks: readonly Lock[];
}

type FlowRefusal =
  | "access-denied"
  | "access-locked"
  | "app-unknown"
  | "port-not-allowed"
  | "mfa-required"
  | "certificate-expired"
  /** Of one that cannot decide yet, for it has not learned the policy. */
  | "no-agent";

export type FlowDecision =
  | Extract<AccessDecision, { readonly kind: "allowed" }>
  | { readonly kind: "refused"; readonly code: FlowRefusal; readonly message: string };

/** Decides whether a flow may be opened. */
export function decideFlow(request: FlowRequest, policy: FlowPolicy, nowMs: number): FlowDecision {
  const { claims, principal } = request;
  if (nowMs >= request.certificateExpiresMs) {
    return refuse("certificate-expired", "The app certificate is no longer valid");
  }
  const names = principal.kind === "user"
    ? rolesHere(policy.trust, principal.cluster, claims.roles)
    : null;
  if (names === null) {
    return refuse(
      "access-denied",
      "The certificate is not a user's of this cluster, or of one it trusts",
    );
  }
  if (
    claims.cluster !== policy.cluster || claims.app !== policy.app.name ||
    request.app !== claims.app
  ) {
    return refuse("app-unknown", "The certificate is for another app");
  }
  if (claims.port !== 0 && claims.port !== request.port) {
    return refuse("port-not-allowed", `The certificate is for port ${claims.port}`);
  }
  if (!portAllowed(policy.app.tcpPorts, request.port)) {
    return refuse("port-not-allowed", `The app does not serve port ${request.port}`);
  }
  const who = {
    user: userHere(principal, policy.cluster),
    roles: names,
    sessionIds: [claims.sessionId, claims.loginId],
    agentId: policy.agentId,
  };
  if (isLocked(policy.locks, who, nowMs)) {
    return refuse("access-locked", "Access is locked");
  }
  // A role that is gone can neither allow nor deny: it might have denied, so the flow is refused
  const roles = names.map((name) => policy.roles.get(name));
  if (roles.some((role) => role === undefined)) {
    return refuse("access-denied", "A role in the certificate is gone");
  }
  // What another cluster says of its users is nothing that roles here go by
  const isOwn = principal.cluster === policy.cluster;
  const person = { user: who.user, claims: isOwn ? claims.grounds?.claims ?? {} : {} };
  const access = decideAccess(
    (roles as Role[]).map((role) => personalRole(role, person)),
    policy.app.labels,
  );
  if (access.kind === "denied") return refuse("access-denied", "No role allows this app");
  if (access.requireSessionMfa && (claims.mfaTimeMs === null || claims.port === 0)) {
    return refuse("mfa-required", "The app asks for the second factor once per session");
  }
  return access;
}

/** Whom and what a lock may keep out. */
interface Lockable {
  readonly user: string;
  readonly roles: readonly string[];
  /** The app session and the login it was drawn from. */
  readonly sessionIds: readonly string[];
  /** The agent that is asked; `null` where none is. */
  readonly agentId: string | null;
}

/** Whether any lock in force keeps out any of these. */
export function isLocked(locks: readonly Lock[], who: Lockable, nowMs: number): boolean {
  return locks.some(({ target, expiresMs }) => {
    if (expiresMs !== null && nowMs >= expiresMs) return false;
    if ("user" in target) return target.user === who.user;
    if ("role" in target) return who.roles.includes(target.role);
    if ("session" in target) return who.sessionIds.includes(target.session);
    return target.agent === who.agentId;
  });
}

function refuse(code: FlowRefusal, message: string): FlowDecision {
  return { kind: "refused", code, message };
}
