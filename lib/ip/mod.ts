/**
 * Strict addresses, prefixes and endpoints as values.
 *
 * @module
 */

export {
  compareIp,
  decodeIp,
  encodeIp,
  equalIp,
  formatIp,
  type IpAddress,
  type Ipv4,
  ipv4,
  type Ipv6,
  ipv6,
  parseIp,
  parseIpv4,
  parseIpv6,
  unmapIp,
} from "./address.ts";
export { type Endpoint, equalEndpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
export {
  formatHost,
  formatHostPort,
  type HostPort,
  parseHost,
  parseHostPort,
} from "./host_port.ts";
export { interleaveFamilies } from "./interleave.ts";
export { findNat64Prefixes, NAT64_NAME, throughNat64 } from "./nat64.ts";
export {
  bitsOf,
  contains,
  covers,
  equalPrefix,
  formatPrefix,
  type Ipv4Prefix,
  type Ipv6Prefix,
  lastAddress,
  overlaps,
  parseIpv4Prefix,
  parseIpv6Prefix,
  parsePrefix,
  type Prefix,
  prefixOf,
  without,
} from "./prefix.ts";
export {
  CGNAT,
  isCgnat,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isPrivate,
  isPrivatePrefix,
  isUniqueLocal,
  isUnspecified,
  ULA,
} from "./ranges.ts";
export { type Source, sourceOf } from "./source.ts";
