/**
 * Clusters of vnet's own kind (`vnet server`): the one place in the client that knows our wire.
 *
 * @module
 */
import type { ClusterDriver } from "../driver.ts";
import { HttpClusterApi } from "./api.ts";
import { OWN_KIND, readLogin } from "./credentials.ts";
import { OwnLink } from "./link.ts";
import { discover, logIn } from "./login.ts";

/** The driver of clusters that `vnet server` runs. @param nowMs The clock that certificates are judged by */
export function ownDriver(nowMs: () => number = Date.now): ClusterDriver {
  return {
    kind: OWN_KIND,
    discover: (how, signal) => discover(how, nowMs, signal),
    login: (request, signal) => logIn(request, nowMs, signal),
    open(profile) {
      const login = readLogin(profile);
      return new OwnLink(login, new HttpClusterApi(login, nowMs), nowMs);
    },
  };
}
