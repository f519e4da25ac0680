import { compilePorts } from "../../../config/mod.ts";
import type { AppView, ClusterView, PublishedCluster } from "../../../plan/mod.ts";
import type { App, AppsResponse, ClusterConfig } from "../../../wire/mod.ts";

/** Puts what the cluster's API says into the client's terms. */
export function viewOf(config: ClusterConfig, { apps, away = [] }: AppsResponse): ClusterView {
  return {
    root: publishedOf(config),
    leaves: config.leaf_clusters.map((leaf) => ({
      ...publishedOf(leaf),
      ...(leaf.online === undefined ? {} : { isOnline: leaf.online }),
      ...(leaf.apps_left_out === undefined ? {} : { appsLeftOut: leaf.apps_left_out }),
      ...(leaf.since === undefined ? {} : { sinceMs: Date.parse(leaf.since) }),
    })),
    apps: apps.map(appOf),
    away: away.map(({ last_seen, ...app }) => {
      const { kind: _kind, id: _id, ports: _ports, ...rest } = appOf(app);
      return { ...rest, lastSeenMs: Date.parse(last_seen) };
    }),
  };
}

function publishedOf(
  cluster: Pick<ClusterConfig, "cluster_name" | "proxy_public_addrs" | "vnet_config">,
): PublishedCluster {
  const { ipv4_cidr_range, custom_dns_zones } = cluster.vnet_config;
  return {
    name: cluster.cluster_name,
    proxyHosts: cluster.proxy_public_addrs.map(hostOf),
    proxyAddrs: cluster.proxy_public_addrs,
    range: ipv4_cidr_range,
    zones: custom_dns_zones.map(({ suffix, private: isPrivate = false }) => ({
      suffix,
      isPrivate,
    })),
  };
}

function appOf(app: App): AppView {
  return {
    kind: "tcp",
    name: app.name,
    cluster: app.cluster,
    id: app.app_id,
    publicAddrs: app.public_addrs,
    description: app.description ?? null,
    labels: app.labels,
    ports: compilePorts(app.tcp_ports),
  };
}

/** Cuts the port off `host[:port]`. */
function hostOf(address: string): string {
  return address.startsWith("[") ? address : address.replace(/:[0-9]+$/, "");
}
