/**
 * Logins, what is known of their clusters, and whether their proxies answer.
 *
 * @module
 */
import type { FileFacts, ProfileFacts, ProxyFacts, WantedFacts } from "../../health/mod.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import { openLink } from "../cluster/drivers.ts";
import type { KnownCluster } from "../cluster/known.ts";
import { knownState } from "../known_state.ts";
import type { Paths } from "../paths.ts";
import type { Lookups } from "./ask.ts";
import { Unmeasured } from "./measure.ts";

/** What vnet would answer for when it came up, and where its ranges lay last. */
export async function planned(
  clusters: readonly KnownCluster[],
  paths: Pick<Paths, "stateDir" | "configDir">,
  nowMs: number,
): Promise<Pick<WantedFacts, "ranges" | "zones">> {
  const { plan, book } = await knownState(paths, clusters, { nowMs });
  if (plan.ranges.length === 0) throw new Unmeasured("nothing is known of any cluster yet");
  return { ranges: [...plan.ranges, book.prefix6], zones: plan.zones };
}

export function profileFacts({ profile, name }: KnownCluster): ProfileFacts {
  return {
    name,
    cluster: profile.cluster,
    user: profile.user,
    expiresMs: profile.expiresMs,
  };
}

/** Looks who may read the files with the keys. */
export async function readProfileFiles(configDir: string): Promise<readonly FileFacts[]> {
  const dir = `${configDir}/profiles`;
  const files: FileFacts[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(dir)) {
      if (!isFile || !name.endsWith(".json")) continue;
      const path = `${dir}/${name}`;
      const { mode, uid } = await Deno.lstat(path);
      files.push({ path, mode: (mode ?? 0) & 0o7777, uid: uid ?? 0 });
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Resolves a proxy's name and tries the way to it. */
export async function tryProxy(
  { profile, name }: KnownCluster,
  means: {
    readonly drivers: readonly ClusterDriver[];
    readonly lookups: Lookups;
    readonly nowMs: () => number;
  },
  signal: AbortSignal,
): Promise<ProxyFacts> {
  const reach = async () => {
    const link = openLink(means.drivers, profile);
    return await link.reach(means.nowMs, signal).finally(() => link.close());
  };
  const [addresses, reached] = await Promise.all([
    means.lookups.system(profile.proxy.host, signal),
    reach(),
  ]);
  return { profile: name, addresses, reached };
}
