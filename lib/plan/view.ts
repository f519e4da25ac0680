/**
 * What a cluster publishes to one login, in this project's own terms: whatever kind of cluster it is, the rest of the
 * client knows it by this and nothing else.
 *
 * @module
 */
import { z } from "zod";
import type { PortRange } from "../config/mod.ts";

/** One cluster: the one logged in to, or a leaf behind it. */
export interface PublishedCluster {
  readonly name: string;
  /** Host names of its proxies, without ports; an IPv6 address stands in brackets. */
  readonly proxyHosts: readonly string[];
  /** The same with their ports, as the cluster says it: `host` or `host:port`; absent where the driver has no use for it. */
  readonly proxyAddrs?: readonly string[];
  /** Where its apps' addresses come from, as the cluster says it: `100.64.0.0/10`. */
  readonly range: string;
  readonly zones: readonly CustomZone[];
  /** Whether a leaf is connected to its root, and since when it is, or is not; not for the plan. */
  readonly isOnline?: boolean;
  readonly sinceMs?: number;
  /** How many of its apps are not told of; absent for none. */
  readonly appsLeftOut?: number;
}

/** A zone beside the proxies' own in which the cluster has names. */
export interface CustomZone {
  readonly suffix: string;
  /** Whether nobody else answers for it. */
  readonly isPrivate: boolean;
}

/** Something that is published under names of its own. Another kind is another member of this union. */
export type AppView = TcpApp;

/** A TCP service. */
export interface TcpApp {
  readonly kind: "tcp";
  readonly name: string;
  /** The cluster it is in: the root's name, or a leaf's. */
  readonly cluster: string;
  /** What the driver knows it by; the same app has the same id for as long as it is there. */
  readonly id: string;
  readonly publicAddrs: readonly string[];
  readonly description: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** The ports one may connect to, or `null` for any. */
  readonly ports: readonly PortRange[] | null;
}

/** An app that nobody serves at the moment. */
export interface AwayApp {
  readonly name: string;
  readonly cluster: string;
  readonly publicAddrs: readonly string[];
  readonly description: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** When an agent last served it. */
  readonly lastSeenMs: number;
}

/** A cluster as one login sees it. */
export interface ClusterView {
  readonly root: PublishedCluster;
  readonly leaves: readonly PublishedCluster[];
  /** Only what this login may use, in a fixed order. */
  readonly apps: readonly AppView[];
  /** What would be among them if an agent were connected; not for the plan. */
  readonly away?: readonly AwayApp[];
}

/** One login's view of its cluster: what a plan is compiled from. */
export interface PlanSource {
  /** The profile's name. */
  readonly profile: string;
  readonly proxyHost: string;
  readonly view: ClusterView;
}

/** The clusters of a view, the one logged in to first. */
export function clustersOf(view: ClusterView): readonly PublishedCluster[] {
  return [view.root, ...view.leaves];
}

const port = z.int().min(1).max(65_535);

const PublishedClusterSchema = z.object({
  name: z.string(),
  proxyHosts: z.array(z.string()).readonly(),
  proxyAddrs: z.array(z.string()).readonly().exactOptional(),
  range: z.string(),
  zones: z.array(z.object({ suffix: z.string(), isPrivate: z.boolean() })).readonly(),
  isOnline: z.boolean().exactOptional(),
  sinceMs: z.number().exactOptional(),
  appsLeftOut: z.number().exactOptional(),
});

const TcpAppSchema = z.object({
  kind: z.literal("tcp"),
  name: z.string(),
  cluster: z.string(),
  id: z.string(),
  publicAddrs: z.array(z.string()).readonly(),
  description: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  ports: z.array(z.object({ first: port, last: port })).readonly().nullable(),
});

const AwayAppSchema = TcpAppSchema.omit({ kind: true, id: true, ports: true }).extend({
  lastSeenMs: z.number(),
});

/** A view as JSON, for the file that keeps it over a restart. */
export const ClusterViewSchema: z.ZodType<ClusterView> = z.object({
  root: PublishedClusterSchema,
  leaves: z.array(PublishedClusterSchema).readonly(),
  apps: z.array(z.discriminatedUnion("kind", [TcpAppSchema])).readonly(),
  away: z.array(AwayAppSchema).readonly().exactOptional(),
});
