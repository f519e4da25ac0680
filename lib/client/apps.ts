/**
 * The list of apps, from a running daemon or from the clusters themselves.
 *
 * @module
 */
import type { DomainName } from "../dns/mod.ts";
import { VnetError } from "../error.ts";
import { type AppView, renderPorts } from "../plan/mod.ts";
import type { AppsV1 } from "../status/mod.ts";
import type { ClusterDriver } from "./cluster/driver.ts";
import { DRIVERS, openLink } from "./cluster/drivers.ts";
import { profileName, ProfileStore } from "./cluster/profile.ts";
import { ControlClient } from "./control/client.ts";
import type { Paths } from "./paths.ts";
import { type NameAddresses, renderAddresses } from "./state/mod.ts";

/** The apps of one login. */
interface ProxyApps {
  readonly proxy: string;
  readonly apps: readonly AppView[];
}

/** Puts the apps into their public form, sorted by cluster and name. */
export function renderApps(
  views: readonly ProxyApps[],
  addresses: ReadonlyMap<DomainName, NameAddresses | null>,
): AppsV1 {
  const apps = views.flatMap(({ proxy, apps }) =>
    apps.map((app): AppsV1["apps"][number] => ({
      name: app.name,
      kind: app.kind,
      cluster: app.cluster,
      proxy,
      public_addrs: [...app.publicAddrs],
      addresses: app.publicAddrs.flatMap((name) => {
        const given = addresses.get(name.toLowerCase() as DomainName) ?? null;
        return given === null ? [] : [{ name, ...renderAddresses(given) }];
      }),
      ...(app.ports === null ? {} : { ports: renderPorts(app.ports) }),
      ...(app.description === null ? {} : { description: app.description }),
      labels: { ...app.labels },
    }))
  );
  const key = (app: AppsV1["apps"][number]) => `${app.cluster}\0${app.name}\0${app.proxy}`;
  return { schema: "vnet.apps/1", apps: apps.sort((a, b) => key(a) < key(b) ? -1 : 1) };
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
  const profiles = await new ProfileStore(paths.configDir).list();
  if (profiles.length === 0) {
    throw new VnetError("login-needed", "Cannot list apps: you are not logged in to any cluster", {
      hint: "Run `vnet login HOST` first",
    });
  }
  const views = await Promise.all(profiles.map(async (profile) => {
    const link = openLink(drivers, profile);
    const { apps } = await link.view(signal).finally(() => link.close());
    return { proxy: profileName(profile.proxy), apps };
  }));
  return renderApps(views, new Map());
}
