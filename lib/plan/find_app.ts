/**
 * Finding the app that somebody means who types its name. Pure.
 *
 * @module
 */
import type { DomainName } from "../dns/mod.ts";
import { type AppRef, type Plan, refOf } from "./plan.ts";
import type { PlanSource } from "./view.ts";
import { tryParseName } from "./zones.ts";

/** What was typed. */
export interface AppWish {
  /** One of the app's DNS names, or the name it has in its cluster. */
  readonly name: string;
  /** Only among the apps of this cluster; `null` for all. */
  readonly cluster: string | null;
}

/** What was meant by it. */
export type FoundApp =
  | { readonly kind: "found"; readonly app: AppRef }
  | { readonly kind: "unknown" }
  /** Several clusters have an app of that name; sorted. */
  | { readonly kind: "several"; readonly clusters: readonly string[] };

/**
 * Finds an app: by a DNS name that this machine answers for, else by its name in its cluster. What a cluster calls an
 * app of its own is its own affair, so an app is found by that name also where none of its DNS names is granted.
 */
export function findApp(
  { name, cluster }: AppWish,
  plan: Pick<Plan, "targets">,
  sources: readonly PlanSource[],
): FoundApp {
  const isWanted = (app: AppRef) => cluster === null || app.cluster === cluster;
  const byAddress = plan.targets.get(tryParseName(name) ?? ("" as DomainName));
  if (byAddress !== undefined && isWanted(byAddress)) return { kind: "found", app: byAddress };
  // By two logins one app may be seen twice: either will do.
  const byName = new Map(
    sources.flatMap((source) => source.view.apps.map((app) => refOf(source, app)))
      .filter((app) => app.app === name && isWanted(app))
      .map((app) => [`${app.cluster}\0${app.appId}`, app]),
  );
  const [first, ...others] = byName.values();
  if (first === undefined) return { kind: "unknown" };
  if (others.length === 0) return { kind: "found", app: first };
  return { kind: "several", clusters: [...byName.values()].map((app) => app.cluster).sort() };
}
