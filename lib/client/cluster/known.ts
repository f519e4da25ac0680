/**
 * Logins with what is known of their clusters, from disk: for every command that works with the daemon down.
 *
 * @module
 */
import type { ClusterView, PlanSource } from "../../plan/mod.ts";
import type { Paths } from "../paths.ts";
import { type Profile, profileName, ProfileStore } from "./profile.ts";
import { loadViews } from "./saved_views.ts";

/** A saved login with what its cluster published last. */
export interface KnownCluster {
  readonly profile: Profile;
  readonly name: string;
  /** `null`: it was never asked. */
  readonly view: ClusterView | null;
}

/** Reads every saved login, sorted by name; asks no cluster. @throws VnetError `profile-damaged` */
export async function readKnown(paths: Paths): Promise<readonly KnownCluster[]> {
  const views = await loadViews(paths.stateDir);
  return (await new ProfileStore(paths.configDir).list()).map((profile) => {
    const name = profileName(profile.proxy);
    return { profile, name, view: views.get(name) ?? null };
  });
}

/** What a plan is compiled from. */
export function sourcesOf(known: readonly KnownCluster[]): readonly PlanSource[] {
  return known.flatMap(({ profile, view }) => view === null ? [] : [sourceOf(profile, view)]);
}

/** One login's part of what a plan is compiled from. */
export function sourceOf(profile: Profile, view: ClusterView): PlanSource {
  return { profile: profileName(profile.proxy), proxyHost: profile.proxy.host, view };
}
