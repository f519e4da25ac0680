/**
 * What there is around us: the ways out of this machine, apart from those into our own link.
 *
 * @module
 */
import { contains, equalIp, formatEndpoint, formatIp, formatPrefix } from "../../ip/mod.ts";
import type { Endpoint, Prefix } from "../../ip/mod.ts";
import type { Machine } from "../../os/mod.ts";
import type { Surroundings } from "../cluster/driver.ts";

/** RTN_UNICAST and RTN_LOCAL of rtnetlink(7): what leads somewhere. */
const LEADS_SOMEWHERE: readonly number[] = [1, 2];

/** Whose the rest is not. */
export interface OwnLink {
  readonly ifindex: number;
  readonly routes: readonly Prefix[];
}

/** Looks around when asked; before there is a link of ours, and where it is elsewhere, nothing is ours. */
export function surroundingsOf(
  { routing, sockets }: Pick<Machine, "routing" | "sockets">,
  own: () => OwnLink | null,
): Surroundings {
  return {
    isOwn: (address) => own()?.routes.some((route) => contains(route, address)) ?? false,
    look() {
      const ifindex = own()?.ifindex ?? null;
      const addresses = routing.addresses().map(({ address }) => address);
      const routes = routing.routes().filter((route) =>
        route.ifindex !== ifindex && LEADS_SOMEWHERE.includes(route.type)
      );
      return {
        hasAddress: (address) => addresses.some((one) => equalIp(one, address)),
        hasWay: (address) => routes.some(({ prefix }) => contains(prefix, address)),
      };
    },
    unheard() {
      const silent = new Set(
        sockets.unheard().map(({ source, destination }) => keyOf(source, destination)),
      );
      return (source, destination) => silent.has(keyOf(source, destination));
    },
  };
}

/** The ways out as text: equal while nothing is different. Ours are left out. */
export function describeWays(
  { routing }: Pick<Machine, "routing">,
  ownIfindex: number | null,
): string {
  const addresses = routing.addresses()
    .filter(({ ifindex }) => ifindex !== ownIfindex)
    .map(({ address, prefixLength, ifindex }) => `${formatIp(address)}/${prefixLength} ${ifindex}`);
  const routes = routing.routes()
    .filter(({ ifindex }) => ifindex !== ownIfindex)
    .map(({ prefix, table, type, ifindex, metric }) =>
      `${formatPrefix(prefix)} ${table} ${type} ${ifindex} ${metric}`
    );
  return [...addresses.sort(), "", ...routes.sort()].join("\n");
}

function keyOf(source: Endpoint, destination: Endpoint): string {
  return `${formatEndpoint(source)} ${formatEndpoint(destination)}`;
}
