import { compileRole, type LockTarget, type Role } from "../../config/mod.ts";
import { type AgentPolicy } from "../../wire/mod.ts";
import type { Lock } from "../../identity/mod.ts";
import {
  type AppClient,
  type Certificate,
  KnownCertificates,
  parseCertificate,
  verifyAppClient,
} from "../../io/mod.ts";

/** The cluster's policy, ready to decide with. */
export interface CompiledPolicy {
  readonly cluster: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly locks: readonly Lock[];
  /** Judges certificates by the cluster's authorities. */
  readonly clients: KnownCertificates<GoodClient>;
}

type GoodClient = Extract<AppClient, { readonly kind: "good" }>;

/** Makes a policy ready to decide with. @throws {TypeError} if it holds an authority that cannot be read. */
export function compilePolicy(policy: AgentPolicy): CompiledPolicy {
  const userCas = policy.user_cas.map(readAuthority);
  return {
    cluster: policy.cluster_name,
    roles: new Map(policy.roles.map(({ name, spec }) => [name, compileRole(name, spec)])),
    locks: policy.locks.map(({ target, expires }) => ({
      target,
      expiresMs: expires === undefined ? null : Date.parse(expires),
    })),
    clients: new KnownCertificates((der, nowMs) => verifyAppClient(der, { userCas, nowMs })),
  };
}

/** Adds a lock that was told before the policy that holds it. */
export function withLock(policy: CompiledPolicy, target: LockTarget): CompiledPolicy {
  return { ...policy, locks: [...policy.locks, { target, expiresMs: null }] };
}

function readAuthority(pem: string): Certificate {
  const certificate = parseCertificate(pem);
  if (certificate !== null) return certificate;
  throw new TypeError("The policy holds an authority that cannot be read");
}
