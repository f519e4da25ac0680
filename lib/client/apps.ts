/**
 * The list of apps, from a running daemon or from the clusters themselves.
 *
 * @module
 */
import { VnetError } from "../error.ts";
import {
  type AppView,
  type AwayApp,
  type ClusterView,
  describeRefusal,
  grantOf,
  type Plan,
  renderPorts,
  tryParseName,
} from "../plan/mod.ts";
import type { AppsV1 } from "../status/mod.ts";
import type { ClusterDriver } from "./cluster/driver.ts";
import { DRIVERS, openLink } from "./cluster/drivers.ts";
import { readKnown } from "./cluster/known.ts";
import { ControlClient } from "./control/client.ts";
import type { Paths } from "./paths.ts";
import { knownState } from "./known_state.ts";
import { type Names, renderAddresses } from "./state/mod.ts";

/** The apps of one login. */
interface ProxyApps {
  readonly proxy: string;
  readonly view: Pick<ClusterView, "apps" | "away"> | null;
}

/**
 * Puts the apps into their public form, sorted by cluster and name. A name is shown with its address at the app that
 * has it, and at no other.
 *
 * @param addresses Empty while vnet is down.
 */
export function renderApps(
  views: readonly ProxyApps[],
  plan: Plan,
  addresses: Names["addresses"],
): AppsV1 {
  const refusals = Map.groupBy(plan.refusedNames, ({ claim }) => keyOf(claim.profile, claim));
  const apps = views.flatMap(({ proxy, view }) => [
    ...(view?.apps ?? []).map((app) => ({
      ...renderShared(app, proxy),
      kind: app.kind,
      addresses: app.publicAddrs.flatMap((name) => renderName(name, proxy, app, plan, addresses)),
      ...renderRefused(refusals.get(keyOf(proxy, { cluster: app.cluster, appId: app.id })), plan),
      ...(app.ports === null ? {} : { ports: renderPorts(app.ports) }),
    })),
    ...(view?.away ?? []).map((app) => ({
      ...renderShared(app, proxy),
      addresses: [],
      last_seen: new Date(app.lastSeenMs).toISOString(),
    })),
  ]);
  const key = (app: AppsV1["apps"][number]) => `${app.cluster}\0${app.name}\0${app.proxy}`;
  return { schema: "vnet.apps/1", apps: apps.sort((a, b) => key(a) < key(b) ? -1 : 1) };
}

function keyOf(
  profile: string,
  { cluster, appId }: { readonly cluster: string; readonly appId: string },
): string {
  return JSON.stringify([profile, cluster, appId]);
}

function renderName(
  text: string,
  proxy: string,
  { id, cluster }: AppView,
  plan: Plan,
  addresses: Names["addresses"],
): AppsV1["apps"][number]["addresses"] {
  const name = tryParseName(text);
  const target = name === null ? undefined : plan.targets.get(name);
  const isOwn = target?.profile === proxy && target.cluster === cluster && target.appId === id;
  const grant = name === null ? null : grantOf(plan, name);
  if (!isOwn || name === null || grant?.by == null) return [];
  const given = addresses.get(name) ?? null;
  return [{
    name: text,
    ...(given === null ? {} : renderAddresses(given)),
    zone: grant.suffix,
    grant: grant.by,
  }];
}

function renderRefused(
  refused: Plan["refusedNames"] | undefined,
  { standings }: Plan,
): Pick<AppsV1["apps"][number], "refused"> {
  if (refused === undefined) return {};
  return {
    refused: refused.map((one) => ({
      name: one.claim.name,
      why: describeRefusal(one, standings),
    })),
  };
}

/** What is said of an app whether anybody serves it or not. */
function renderShared(app: AppView | AwayApp, proxy: string) {
  return {
    name: app.name,
    cluster: app.cluster,
    proxy,
    public_addrs: [...app.publicAddrs],
    ...(app.description === null ? {} : { description: app.description }),
    labels: { ...app.labels },
  };
}

/** Lists the apps: the daemon's view if it runs, else the clusters are asked directly. */
export async function listApps(
  paths: Paths,
  signal: AbortSignal,
  drivers: readonly ClusterDriver[] = DRIVERS,
): Promise<AppsV1> {
  using control = new ControlClient(paths.controlSocket);
  try {
    return await control.apps();
  } catch (thrown) {
    if (!(thrown instanceof VnetError) || thrown.code !== "daemon-not-running") throw thrown;
  }
  const saved = await readKnown(paths);
  if (saved.length === 0) {
    throw new VnetError("login-needed", "Cannot list apps: you are not logged in to any cluster", {
      hint: "Run `vnet login HOST` first",
    });
  }
  const known = await Promise.all(saved.map(async ({ profile, name }) => {
    const link = openLink(drivers, profile);
    const view = await link.view(signal).finally(() => link.close());
    return { profile, name, view };
  }));
  const views = known.map(({ name, view }) => ({ proxy: name, view }));
  const { plan } = await knownState(paths, known, { nowMs: Date.now() });
  return renderApps(views, plan, new Map());
}
