import { type AgentPolicy, compileRole, type LockTarget, type Role } from "../../config/mod.ts";
import type { Lock } from "../../identity/mod.ts";
import {
  type AppClient,
  type Certificate,
  parseCertificate,
  sha256,
  verifyAppClient,
} from "../../io/mod.ts";

/** The cluster's policy, ready to decide with. */
export interface CompiledPolicy {
  readonly cluster: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly locks: readonly Lock[];
  readonly userCas: readonly Certificate[];
  /** Client certificates that were found good under `userCas`, by their digest. */
  readonly known: Map<string, GoodClient>;
}

type GoodClient = Extract<AppClient, { readonly kind: "good" }>;

const MAX_KNOWN = 1024;

/** Makes a policy ready to decide with. @throws {TypeError} if it holds an authority that cannot be read. */
export function compilePolicy(policy: AgentPolicy): CompiledPolicy {
  return {
    cluster: policy.cluster_name,
    roles: new Map(policy.roles.map(({ name, spec }) => [name, compileRole(name, spec)])),
    locks: policy.locks.map(({ target, expires }) => ({
      target,
      expiresMs: expires === undefined ? null : Date.parse(expires),
    })),
    userCas: policy.user_cas.map((pem) => {
      const certificate = parseCertificate(pem);
      if (certificate === null) {
        throw new TypeError("The policy holds an authority that cannot be read");
      }
      return certificate;
    }),
    known: new Map(),
  };
}

/** Adds a lock that was told before the policy that holds it. */
export function withLock(policy: CompiledPolicy, target: LockTarget): CompiledPolicy {
  return { ...policy, locks: [...policy.locks, { target, expiresMs: null }] };
}

/**
 * Judges the certificate of a client. A client shows the same one on each of its carriers: the signature is looked at
 * once, the dates every time.
 */
export function judgeClient(der: Uint8Array, policy: CompiledPolicy, nowMs: number): AppClient {
  const digest = sha256(der).toHex();
  const known = policy.known.get(digest);
  if (known !== undefined) {
    const { notBeforeMs, notAfterMs } = known.certificate.validity;
    if (notBeforeMs <= nowMs && nowMs < notAfterMs) return known;
  }
  const verdict = verifyAppClient(der, { userCas: policy.userCas, nowMs });
  if (verdict.kind === "good") {
    if (policy.known.size >= MAX_KNOWN) policy.known.clear();
    policy.known.set(digest, verdict);
  }
  return verdict;
}
