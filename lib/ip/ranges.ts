/**
 * What kind of address this is. A mapped IPv4 address (`::ffff:127.0.0.1`) counts as what it maps.
 *
 * @module
 * @see RFC 6890, "Special-Purpose IP Address Registries"
 */

import { type IpAddress, unmapIp } from "./address.ts";
import { contains, overlaps, parsePrefix, type Prefix } from "./prefix.ts";

/** Shared address space between a carrier and its customers, and our default range (RFC 6598). */
export const CGNAT: Prefix = parsePrefix("100.64.0.0/10");

/** IPv6 unique local addresses (RFC 4193). */
export const ULA: Prefix = parsePrefix("fc00::/7");

const LOOPBACK = ["127.0.0.0/8", "::1/128"].map(parsePrefix);
const UNSPECIFIED = ["0.0.0.0/32", "::/128"].map(parsePrefix);
const LINK_LOCAL = ["169.254.0.0/16", "fe80::/10"].map(parsePrefix);
const MULTICAST = ["224.0.0.0/4", "ff00::/8"].map(parsePrefix);
const RFC1918 = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(parsePrefix);
const PRIVATE = [...RFC1918, CGNAT, ULA];

export function isLoopback(address: IpAddress): boolean {
  return within(LOOPBACK, address);
}

export function isUnspecified(address: IpAddress): boolean {
  return within(UNSPECIFIED, address);
}

export function isLinkLocal(address: IpAddress): boolean {
  return within(LINK_LOCAL, address);
}

export function isMulticast(address: IpAddress): boolean {
  return within(MULTICAST, address);
}

/** Tells whether an address is one of 100.64.0.0/10. */
export function isCgnat(address: IpAddress): boolean {
  return within([CGNAT], address);
}

/** Tells whether an address is one of fc00::/7. */
export function isUniqueLocal(address: IpAddress): boolean {
  return within([ULA], address);
}

/** Tells whether an address is never routed on the public Internet: RFC 1918, RFC 6598, RFC 4193. */
export function isPrivate(address: IpAddress): boolean {
  return within(PRIVATE, address);
}

/** Tells whether a whole prefix lies in private space, so that taking it hides no public address. */
export function isPrivatePrefix(prefix: Prefix): boolean {
  return PRIVATE.some((range) => range.length <= prefix.length && overlaps(range, prefix));
}

function within(ranges: readonly Prefix[], address: IpAddress): boolean {
  const plain = unmapIp(address);
  return ranges.some((range) => contains(range, plain));
}
