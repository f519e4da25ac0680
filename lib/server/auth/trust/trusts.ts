import { formatHostPort } from "../../../config/mod.ts";
import type { ForeignRight } from "../../../wire/mod.ts";
import type { Directory } from "../directory.ts";
import type { Parts } from "../foundation.ts";
import type { LeafService, TicketHolder } from "../types.ts";
import { LeafJoins } from "./leaf_joins.ts";
import { Leaves } from "./leaves.ts";
import { Roots } from "./roots.ts";

/** Other clusters: those that are leaves of this one, and those whose leaf it is. */
interface Trusts {
  readonly leaves: Leaves;
  readonly roots: Roots;
  readonly leafJoins: LeafJoins;
}

/** Makes what knows of other clusters. */
export function openTrusts(parts: Parts, onGone: (leafId: string) => void): Trusts {
  const { options, addrs } = parts;
  const { clusterName: cluster, proxyPublicAddrs, nowMs } = options;
  const shared = { ...parts, cluster, nowMs };
  return {
    leaves: new Leaves({
      ...shared,
      proxies: proxyPublicAddrs,
      onGone,
      isOwnAddr: (address) => addrs.ownerOf(address).kind !== "nobody",
    }),
    roots: new Roots({ ...shared, proxies: proxyPublicAddrs.map(formatHostPort) }),
    leafJoins: new LeafJoins({ ...shared, proxies: proxyPublicAddrs }),
  };
}

/** Leaves as the proxy knows them. */
export function leafService(leaves: Leaves, reportFlow: LeafService["reportFlow"]): LeafService {
  return {
    agents: leaves,
    verify: (der) => leaves.verify(der),
    greet: (hello) => leaves.greet(hello),
    reportFlow,
  };
}

/** What a leaf is told of whoever holds a ticket for an app of its. */
export function rightFor(
  { sessionId, loginId, user, app, port, expiresMs }: TicketHolder,
  { users }: Pick<Directory, "users">,
): ForeignRight {
  return {
    session_id: sessionId,
    login_id: loginId,
    user,
    roles: [...users.get(user) ?? []],
    app,
    port,
    expires: new Date(expiresMs).toISOString(),
  };
}
