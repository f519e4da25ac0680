import { MAX_APP_MS } from "../../../identity/mod.ts";
import type { AgentPolicy } from "../../../wire/mod.ts";
import type { Parts } from "../foundation.ts";

/** What agents decide every flow by. */
export async function agentPolicy(
  { directory, store, options, userCa }: Parts,
): Promise<AgentPolicy> {
  const atMs = options.nowMs();
  const ended = await store.sessions.endedLogins(atMs - MAX_APP_MS);
  return {
    cluster_name: options.clusterName,
    roles: directory.roleResources.map(({ metadata, spec }) => ({ name: metadata.name, spec })),
    locks: [
      ...directory.locks(atMs).map(({ target, expiresMs }) => ({
        target,
        ...(expiresMs === null ? {} : { expires: new Date(expiresMs).toISOString() }),
      })),
      // Whoever logged out is kept out until what they drew can only have expired
      ...ended.map(({ id, endedMs }) => ({
        target: { session: id },
        expires: new Date(endedMs + MAX_APP_MS).toISOString(),
      })),
    ],
    user_cas: [userCa.certificate.pem],
    trusted_clusters: directory.roots().map(({ trust, resource }) => ({
      cluster_name: trust.cluster,
      user_cas: [...trust.userCaPems],
      role_map: resource.spec.role_map,
    })),
  };
}
