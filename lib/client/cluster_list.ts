/**
 * The clusters that logins lead to, with their leaves.
 *
 * @module
 */
import { VnetError } from "../error.ts";
import type { ClusterView, PublishedCluster } from "../plan/mod.ts";
import type { ClustersV1 } from "../status/mod.ts";
import type { ClusterDriver } from "./cluster/driver.ts";
import { DRIVERS, openLink } from "./cluster/drivers.ts";
import { readKnown } from "./cluster/known.ts";
import { withDeadline } from "../wait.ts";
import type { Paths } from "./paths.ts";

type Row = ClustersV1["clusters"][number];

const ASK_MS = 8_000;

/** Asks every cluster; of one that does not answer, what it said last is listed. */
export async function listClusters(
  paths: Paths,
  signal: AbortSignal,
  drivers: readonly ClusterDriver[] = DRIVERS,
): Promise<ClustersV1> {
  const saved = await readKnown(paths);
  if (saved.length === 0) {
    throw new VnetError(
      "login-needed",
      "Cannot list clusters: you are not logged in to any cluster",
      { hint: "Run `vnet login HOST` first" },
    );
  }
  const rows = await Promise.all(saved.map(async ({ profile, name, view }) => {
    const link = openLink(drivers, profile);
    try {
      const asked = await withDeadline(ASK_MS, signal, (signal) => link.view(signal));
      return rowsOf(name, asked, true);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const root = { name: profile.cluster, proxy: name, kind: "root", state: "unknown" } as const;
      return view === null ? [{ ...root, apps: 0 }] : rowsOf(name, view, false);
    } finally {
      await link.close();
    }
  }));
  return { schema: "vnet.clusters/1", clusters: rows.flat() };
}

function rowsOf(proxy: string, view: ClusterView, isAnswered: boolean): Row[] {
  const countOf = ({ name }: PublishedCluster) =>
    view.apps.filter(({ cluster }) => cluster === name).length;
  const { root, leaves } = view;
  return [
    {
      name: root.name,
      proxy,
      kind: "root",
      state: isAnswered ? "online" : "unknown",
      apps: countOf(root),
    },
    ...leaves.map((leaf): Row => ({
      name: leaf.name,
      proxy,
      kind: "leaf",
      state: !isAnswered || leaf.isOnline === undefined
        ? "unknown"
        : leaf.isOnline
        ? "online"
        : "offline",
      ...(!isAnswered || leaf.sinceMs === undefined
        ? {}
        : { since: new Date(leaf.sinceMs).toISOString() }),
      apps: countOf(leaf),
      ...(leaf.appsLeftOut === undefined ? {} : { apps_left_out: leaf.appsLeftOut }),
    })),
  ];
}
