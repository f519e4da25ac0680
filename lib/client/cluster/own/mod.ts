/**
 * Clusters of vnet's own kind (`vnet server`): the one place in the client that knows our wire.
 *
 * @module
 */
import { ProxyOrder } from "../../../io/mod.ts";
import type { ClusterDriver } from "../driver.ts";
import { HttpClusterApi } from "./api.ts";
import { type Means, OWN_KIND, readLogin, THIS_MACHINE } from "./credentials.ts";
import { OwnLink } from "./link.ts";
import { discover, logIn } from "./login.ts";

/**
 * The driver of clusters that `vnet server` runs.
 *
 * @param given The clock that certificates are judged by, and whom the machine trusts; those of this one if not given.
 */
export function ownDriver(given: Partial<Means> = {}): ClusterDriver {
  const means = { ...THIS_MACHINE, ...given };
  return {
    kind: OWN_KIND,
    discover: (how, signal) => discover(how, means, signal),
    login: (request, signal) => logIn(request, means, signal),
    open(profile) {
      const login = readLogin(profile);
      const proxies = new ProxyOrder(login.proxy, means.nowMs);
      return new OwnLink(login, proxies, new HttpClusterApi(login, proxies, means), means);
    },
  };
}
