/**
 * What the addresses of a virtual range are for, its IPv6 twin, and where a free slice is.
 *
 * @module
 */

import {
  bitsOf,
  contains,
  type Ipv4,
  type Ipv6,
  lastAddress,
  overlaps,
  type Prefix,
  prefixOf,
} from "../ip/mod.ts";

/** The address of the TUN device: network + 1. */
export function selfAddress(range: Prefix): Ipv4 {
  return offsetAddress(range, 1);
}

/** The peer that rewritten packets come from: network + 2. No program ever sees it. */
export function peerAddress(range: Prefix): Ipv4 {
  return offsetAddress(range, 2);
}

/** Kept for a DNS server inside the range: network + 3. */
export function dnsAddress(range: Prefix): Ipv4 {
  return offsetAddress(range, 3);
}

/**
 * The IPv6 address that stands for an IPv4 one: the prefix, with the IPv4 address in the low 32 bits.
 *
 * @param prefix IPv6, at most 96 bits long; in use a ULA /64.
 * @throws {RangeError} If the prefix leaves no room for 32 bits.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { formatIp, parseIpv4, parsePrefix } from "../ip/mod.ts";
 * import { twin } from "./range.ts";
 *
 * const address = twin(parsePrefix("fd00:1::/64"), parseIpv4("100.64.0.7"));
 * equal(formatIp(address), "fd00:1::6440:7");
 * ```
 */
export function twin(prefix: Prefix, address: Ipv4): Ipv6 {
  if (prefix.address.family !== 6 || prefix.length > 96) {
    throw new RangeError("Cannot make a twin address: the prefix is not IPv6 of at most 96 bits");
  }
  return { family: 6, value: prefix.address.value | BigInt(address.value) };
}

/**
 * The IPv4 address an IPv6 one stands for.
 *
 * @returns `null` if the address is not a twin under the prefix.
 */
export function untwin(prefix: Prefix, address: Ipv6): Ipv4 | null {
  if (prefix.address.family !== 6) return null;
  const host = address.value - prefix.address.value;
  return host >= 0n && host <= 0xffff_ffffn ? { family: 4, value: Number(host) } : null;
}

/**
 * Finds the lowest slice of `within` that touches none of the taken prefixes.
 *
 * @param length Length of the slice wanted, not shorter than that of `within`.
 * @returns The slice, or `null` if nothing that large is free.
 * @throws {RangeError} If the length is not one `within` can hold.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { formatPrefix, parsePrefix } from "../ip/mod.ts";
 * import { freeSlice } from "./range.ts";
 *
 * const slice = freeSlice(parsePrefix("100.64.0.0/10"), [parsePrefix("100.64.0.0/11")], 16);
 * equal(slice && formatPrefix(slice), "100.96.0.0/16");
 * ```
 */
export function freeSlice(
  within: Prefix,
  taken: readonly Prefix[],
  length: number,
): Prefix | null {
  const bits = bitsOf(within.address.family);
  if (!Number.isInteger(length) || length < within.length || length > bits) {
    throw new RangeError(`Cannot find a slice: /${length} does not fit into /${within.length}`);
  }
  const inTheWay = taken.filter((prefix) => overlaps(prefix, within));
  const last = lastAddress(within).value;
  const size = 1n << BigInt(bits - length);
  let start = BigInt(within.address.value);
  while (start <= last) {
    const slice = prefixAt(within.address.family, start, length);
    const obstacle = inTheWay.find((prefix) => overlaps(prefix, slice));
    if (obstacle === undefined) return slice;
    // both are aligned, so what follows the larger of the two is aligned as well
    const obstacleEnd = BigInt(lastAddress(obstacle).value) + 1n;
    const sliceEnd = start + size;
    start = obstacleEnd > sliceEnd ? obstacleEnd : sliceEnd;
  }
  return null;
}

function prefixAt(family: 4 | 6, start: bigint, length: number): Prefix {
  return family === 4
    ? prefixOf({ family, value: Number(start) }, length)
    : prefixOf({ family, value: start }, length);
}

function offsetAddress(range: Prefix, offset: number): Ipv4 {
  const { address } = range;
  if (address.family !== 4 || !contains(range, { family: 4, value: address.value + offset })) {
    throw new RangeError(`Cannot take address ${offset} of a range: not IPv4, or too small`);
  }
  return { family: 4, value: address.value + offset };
}
