/**
 * Clusters of vnet's own kind (`vnet server`): the one place in the client that knows our wire.
 *
 * @module
 */
import { type Dialer, ProxyOrder, tcpDialer } from "../../../io/mod.ts";
import { formatIp } from "../../../ip/mod.ts";
import { refusalError } from "../../../refusal/mod.ts";
import type { ClusterDriver, Surroundings } from "../driver.ts";
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
    open(profile, around) {
      const login = readLogin(profile);
      const proxies = new ProxyOrder(login.proxy, means.nowMs);
      const going = around === undefined ? means : { ...means, dial: dialerBeside(around) };
      const api = new HttpClusterApi(login, proxies, going);
      return new OwnLink(login, { proxies, api, around: around ?? null }, going);
    },
  };
}

/** Dials nothing that lies in vnet's own ranges: what is sent there comes back to vnet. */
function dialerBeside({ isOwn }: Surroundings): Dialer {
  return tcpDialer({
    objection: (address) =>
      isOwn(address)
        ? refusalError("proxy-in-range", "Cannot reach the cluster", {
          state: `the address ${formatIp(address)} of its proxy lies in vnet's own range`,
        })
        : null,
  });
}
