/**
 * Which of a machine's programs may use its owner's connections.
 *
 * @module
 */

/** What the owner allows. */
export interface LocalPolicy {
  readonly ownerUid: number;
  /** Other users who may connect; `"all"` is everybody with a socket of this machine. */
  readonly sharedWith: ReadonlySet<number> | "all";
  /** Whether connections without a local socket may come in: from containers and virtual machines behind NAT. */
  readonly containers: boolean;
}

/** Why a program may not. */
export type LocalRefusal = "owner-refused" | "container-refused";

export type LocalDecision = "allowed" | LocalRefusal;

const ROOT_UID = 0;

/**
 * Decides whether a connection may be tried at all. Root can become anybody, so refusing root would protect
 * nothing.
 *
 * @param uid The user of the connecting socket; `null` if no socket of this network namespace is the connection's.
 */
export function decideLocal(policy: LocalPolicy, uid: number | null): LocalDecision {
  if (uid === null) return policy.containers ? "allowed" : "container-refused";
  if (uid === policy.ownerUid || uid === ROOT_UID) return "allowed";
  const shared = policy.sharedWith === "all" || policy.sharedWith.has(uid);
  return shared ? "allowed" : "owner-refused";
}
