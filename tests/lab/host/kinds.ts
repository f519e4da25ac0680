/**
 * The kinds of host on which vnet must do the same, by who looks after their DNS.
 *
 * @module
 */
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import {
  MANAGER_PACKAGES,
  RESOLVED_PACKAGES,
  startNetworkManager,
  startResolvconf,
  startResolved,
} from "../world/resolvers.ts";

/** Debian packages that their hosts need: `fetchPackages`. */
export const HOST_PACKAGES = [
  RESOLVED_PACKAGES,
  MANAGER_PACKAGES,
  ["openresolv"],
  ["resolvconf"],
] as const;

/** A kind of host. */
export interface HostKind {
  readonly name: string;
  /** What vnet must find there. */
  readonly backend: string;
  readonly prepare: (lab: Lab, host: Host) => Promise<unknown>;
  /** What the host's own resolver keeps of a link or a record that came and went: its business, not ours. */
  readonly keeps?: RegExp;
}

/** One kind for each way in which resolv.conf is looked after. */
export const HOST_KINDS: readonly HostKind[] = [
  { name: "resolved", backend: "resolved", prepare: (lab, host) => startResolved(lab, host) },
  { name: "plain", backend: "direct", prepare: () => Promise.resolve() },
  {
    name: "container",
    backend: "direct",
    prepare: (_lab, host) =>
      host.script(`
        cp /etc/resolv.conf /run/container-resolv.conf
        mount --bind /run/container-resolv.conf /etc/resolv.conf
      `),
  },
  {
    name: "nm-default",
    backend: "direct",
    prepare: (lab, host) => startNetworkManager(lab, host, "default"),
    keeps: /^[+-] \/run\/NetworkManager\/devices\/\d+ /,
  },
  {
    name: "nm-dnsmasq",
    backend: "nm-dnsmasq",
    prepare: (lab, host) => startNetworkManager(lab, host, "dnsmasq"),
    keeps: /^[+-] \/run\/NetworkManager\/(devices\/\d+|dnsmasq\.pid) /,
  },
  {
    name: "openresolv",
    backend: "openresolv",
    prepare: (lab, host) => startResolvconf(lab, host, "openresolv"),
    keeps: /^\+ \/run\/resolvconf\/exclusive folder /,
  },
  {
    name: "debian",
    backend: "debian-resolvconf",
    prepare: (lab, host) => startResolvconf(lab, host, "resolvconf"),
  },
];
