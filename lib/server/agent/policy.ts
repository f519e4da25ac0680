import { compileRole, type LockTarget, type Role } from "../../config/mod.ts";
import { type AgentPolicy } from "../../wire/mod.ts";
import type { Lock, TrustSet } from "../../identity/mod.ts";
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
  readonly trust: TrustSet<Certificate>;
  /** Judges certificates by the authorities of the clusters whose users they name. */
  readonly clients: KnownCertificates<GoodClient>;
}

type GoodClient = Extract<AppClient, { readonly kind: "good" }>;

/** Makes a policy ready to decide with. @throws {TypeError} if it holds an authority that cannot be read. */
export function compilePolicy(policy: AgentPolicy): CompiledPolicy {
  const trust = trustOf(policy);
  return {
    cluster: policy.cluster_name,
    roles: new Map(policy.roles.map(({ name, spec }) => [name, compileRole(name, spec)])),
    locks: policy.locks.map(({ target, expires }) => ({
      target,
      expiresMs: expires === undefined ? null : Date.parse(expires),
    })),
    trust,
    clients: new KnownCertificates((der, nowMs) => judge(der, trust, nowMs)),
  };
}

/** The cluster itself first. */
function trustOf(
  { cluster_name, user_cas, trusted_clusters = [] }: AgentPolicy,
): TrustSet<Certificate> {
  return [
    { cluster: cluster_name, authorities: user_cas.map(readAuthority), roleMap: null },
    ...trusted_clusters.filter((other) => other.cluster_name !== cluster_name).map((other) => ({
      cluster: other.cluster_name,
      authorities: other.user_cas.map(readAuthority),
      roleMap: other.role_map,
    })),
  ];
}

/** An authority vouches for the users of its own cluster, whatever it signs. */
function judge(
  der: Uint8Array,
  trust: TrustSet<Certificate>,
  nowMs: number,
): AppClient {
  const userCas = trust.flatMap(({ authorities }) => authorities);
  const client = verifyAppClient(der, { userCas, nowMs });
  if (client.kind === "bad") return client;
  const signer = trust.find(({ authorities }) => authorities.includes(client.authority));
  if (signer?.cluster === client.principal.cluster) return client;
  return {
    kind: "bad",
    code: "certificate-foreign",
    message: "The certificate is signed by the authority of another cluster than its user's",
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
