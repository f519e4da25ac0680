/**
 * The list of apps, from a running daemon or from what was last known.
 *
 * @module
 */
import { compilePorts } from "../config/mod.ts";
import { type App } from "../wire/mod.ts";
import { renderPorts } from "../plan/mod.ts";
import type { DomainName } from "../dns/mod.ts";
import { VnetError } from "../error.ts";
import type { AppsV1 } from "../status/mod.ts";
import { type NameAddresses, renderAddresses } from "./state/address_book.ts";
import { HttpClusterApi } from "./cluster/own/api.ts";
import { ControlClient } from "./control/client.ts";
import type { Paths } from "./paths.ts";
import { profileName, ProfileStore } from "./cluster/profile.ts";

/** The apps of one login. */
export interface ProxyApps {
  readonly proxy: string;
  readonly apps: readonly App[];
}

/** Puts the apps into their public form, sorted by cluster and name. */
export function renderApps(
  views: readonly ProxyApps[],
  addresses: ReadonlyMap<DomainName, NameAddresses | null>,
): AppsV1 {
  const apps = views.flatMap(({ proxy, apps }) =>
    apps.map((app): AppsV1["apps"][number] => {
      const ports = compilePorts(app.tcp_ports);
      return {
        name: app.name,
        cluster: app.cluster,
        proxy,
        public_addrs: [...app.public_addrs],
        addresses: app.public_addrs.flatMap((name) => {
          const given = addresses.get(name.toLowerCase() as DomainName) ?? null;
          return given === null ? [] : [{ name, ...renderAddresses(given) }];
        }),
        ...(ports === null ? {} : { ports: renderPorts(ports) }),
        ...(app.description === undefined ? {} : { description: app.description }),
        labels: app.labels,
      };
    })
  );
  const key = (app: AppsV1["apps"][number]) => `${app.cluster}\0${app.name}\0${app.proxy}`;
  return { schema: "vnet.apps/1", apps: apps.sort((a, b) => key(a) < key(b) ? -1 : 1) };
}

/** Lists the apps: the daemon's view if it runs, else the clusters are asked directly. */
export async function listApps(paths: Paths, signal: AbortSignal): Promise<AppsV1> {
  using control = new ControlClient(paths.controlSocket);
  try {
    return await control.apps();
  } catch (thrown) {
    if (!(thrown instanceof VnetError) || thrown.code !== "daemon-not-running") throw thrown;
  }
  const profiles = await new ProfileStore(paths.configDir).list();
  if (profiles.length === 0) {
    throw new VnetError("login-needed", "Cannot list apps: you are logged in nowhere", {
      hint: "Run `vnet login --proxy HOST` first",
    });
  }
  const views = await Promise.all(profiles.map(async (profile) => {
    using api = new HttpClusterApi(profile);
    const answer = await api.apps(null, signal);
    return { proxy: profileName(profile.proxy), apps: answer?.value ?? [] };
  }));
  return renderApps(views, new Map());
}
