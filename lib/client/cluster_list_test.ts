import { deepEqual, rejects } from "node:assert/strict";
import { memoryApp, MemoryCluster } from "../../tests/doubles/memory_cluster.ts";
import { NetworkError } from "../error.ts";
import type { PublishedCluster } from "../plan/mod.ts";
import { saveViews } from "./cluster/saved_views.ts";
import { profileName, ProfileStore } from "./cluster/profile.ts";
import { listClusters } from "./cluster_list.ts";

const SINCE_MS = Date.UTC(2026, 0, 1);
const SINCE = "2026-01-01T00:00:00.000Z";

function leaf(name: string, rest: Partial<PublishedCluster> = {}): PublishedCluster {
  return { name, proxyHosts: [`proxy.${name}`], range: "100.64.0.0/10", zones: [], ...rest };
}

async function withHome(
  act: (paths: Parameters<typeof listClusters>[0], cluster: MemoryCluster) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const cluster = new MemoryCluster({ nowMs: () => SINCE_MS, apps: [memoryApp("db")] });
  cluster.publish({
    leaves: [
      leaf("on.test", { isOnline: true, sinceMs: SINCE_MS, appsLeftOut: 7 }),
      leaf("off.test", { isOnline: false, sinceMs: SINCE_MS }),
      leaf("old.test"),
    ],
    apps: [memoryApp("db"), memoryApp("a", { cluster: "on.test" })],
  });
  const paths = {
    configDir: `${dir}/config`,
    stateDir: dir,
    runtimeDir: dir,
    controlSocket: `${dir}/control.sock`,
    appSocket: `${dir}/apps.sock`,
  };
  try {
    await act(paths, cluster);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const ask = (paths: Parameters<typeof listClusters>[0], cluster: MemoryCluster) =>
  listClusters(paths, new AbortController().signal, [cluster]);

Deno.test("listClusters() says of each login's cluster and its leaves whether they are there, and since when", async (t) => {
  const at = { proxy: "memory.test", kind: "leaf" } as const;
  const root = { name: "memory.test", proxy: "memory.test", kind: "root" } as const;
  await t.step("whoever is asked says it", () =>
    withHome(async (paths, cluster) => {
      await new ProfileStore(paths.configDir).save(cluster.profile());
      deepEqual(await ask(paths, cluster), {
        schema: "vnet.clusters/1",
        clusters: [
          { ...root, state: "online", apps: 1 },
          { ...at, name: "on.test", state: "online", since: SINCE, apps: 1, apps_left_out: 7 },
          { ...at, name: "off.test", state: "offline", since: SINCE, apps: 0 },
          { ...at, name: "old.test", state: "unknown", apps: 0 },
        ],
      });
    }));
  await t.step(
    "where nobody answers, what was said last is listed, and nothing of it is sure",
    () =>
      withHome(async (paths, cluster) => {
        await new ProfileStore(paths.configDir).save(cluster.profile());
        cluster.failure = new NetworkError("proxy-unreachable", "Nobody answers");
        deepEqual((await ask(paths, cluster)).clusters, [{ ...root, state: "unknown", apps: 0 }]);
        const name = profileName(cluster.profile().proxy);
        await saveViews(paths.stateDir, new Map([[name, cluster.published]]));
        const { clusters } = await ask(paths, cluster);
        deepEqual(clusters.map(({ name, state, since, apps }) => [name, state, since, apps]), [
          ["memory.test", "unknown", undefined, 1],
          ["on.test", "unknown", undefined, 1],
          ["off.test", "unknown", undefined, 0],
          ["old.test", "unknown", undefined, 0],
        ]);
      }),
  );
  await t.step("without a login there is nobody to ask", () =>
    withHome(async (paths, cluster) => {
      await rejects(ask(paths, cluster), { code: "login-needed" });
    }));
});
