/**
 * IPv4 addresses through NAT64, for a machine that has IPv6 alone: which prefix the network translates by, and where an
 * IPv4 address lies in it.
 *
 * @module
 * @see RFC 6052 section 2.2, RFC 7050 section 3
 */

import { decodeIp, encodeIp, type IpAddress, type Ipv4, type Ipv6, parseIpv4 } from "./address.ts";
import { equalPrefix, type Ipv6Prefix, parsePrefix, prefixOf } from "./prefix.ts";
import { isLinkLocal, isLoopback, isPrivate, isUnspecified } from "./ranges.ts";

/** The name that has nothing but IPv4 addresses; who gives it IPv6 ones translates. */
export const NAT64_NAME = "ipv4only.arpa";

const KNOWN = ["192.0.0.170", "192.0.0.171"].map((text) => parseIpv4(text).value);
const LENGTHS = [96, 64, 56, 48, 40, 32] as const;
/** Bits 64 to 71 are zero, and no address goes there. */
const GAP_BYTE = 8;
const WELL_KNOWN = parsePrefix("64:ff9b::/96");
/** More prefixes than this no network has. */
const MAX_PREFIXES = 4;

/** Reads the prefixes out of the addresses that the machine's resolver gives for {@link NAT64_NAME}. */
export function findNat64Prefixes(addresses: readonly IpAddress[]): readonly Ipv6Prefix[] {
  const found: Ipv6Prefix[] = [];
  for (const address of addresses) {
    if (address.family !== 6) continue;
    const lengths = LENGTHS.filter((length) => KNOWN.includes(embeddedAt(address, length)));
    const [length] = lengths;
    if (length === undefined || lengths.length > 1) continue;
    const prefix = prefixOf(address, length) as Ipv6Prefix;
    if (isMapped(prefix) || found.some((one) => equalPrefix(one, prefix))) continue;
    found.push(prefix);
  }
  return found.slice(0, MAX_PREFIXES);
}

/**
 * Writes an IPv4 address into a prefix of 32, 40, 48, 56, 64 or 96 bits.
 *
 * @returns `null` where the prefix must not be used for it: the well-known one is for global addresses alone.
 */
export function throughNat64(prefix: Ipv6Prefix, address: Ipv4): Ipv6 | null {
  if (equalPrefix(prefix, WELL_KNOWN) && !isGlobal(address)) return null;
  const bytes = encodeIp(prefix.address);
  const embedded = encodeIp(address);
  placesOf(prefix.length).forEach((at, index) => bytes[at] = embedded[index] ?? 0);
  return decodeIp(bytes) as Ipv6;
}

/** The IPv4 address at its places behind a prefix of this length; -1 if what must be zero is not. */
function embeddedAt(address: Ipv6, length: number): number {
  const bytes = encodeIp(address);
  if (bytes[GAP_BYTE] !== 0) return -1;
  return placesOf(length).reduce((value, at) => value * 256 + (bytes[at] ?? 0), 0);
}

/** Which four bytes of the address an IPv4 address has. */
function placesOf(length: number): readonly number[] {
  const first = length / 8;
  const places = [0, 1, 2, 3].map((n) => first + n);
  return places.map((at) => first <= GAP_BYTE && at >= GAP_BYTE ? at + 1 : at);
}

/** `::ffff:0:0/96` is IPv4 by another way of writing. */
function isMapped({ address: { value } }: Ipv6Prefix): boolean {
  return value >> 32n === 0xffffn;
}

function isGlobal(address: Ipv4): boolean {
  return ![isPrivate, isLoopback, isLinkLocal, isUnspecified].some((kind) => kind(address));
}
