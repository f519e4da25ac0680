/**
 * Prefixes: an address and how many of its leading bits count; the host bits are zero.
 *
 * @module
 * @see RFC 4632, RFC 4291 section 2.3
 */

import { formatIp, type IpAddress, type Ipv4, type Ipv6, parseIp } from "./address.ts";

/** A range of addresses that share their first `length` bits. */
export interface Prefix {
  readonly address: IpAddress;
  readonly length: number;
}

/** A prefix known to be IPv4. */
export interface Ipv4Prefix extends Prefix {
  readonly address: Ipv4;
}

/** A prefix known to be IPv6. */
export interface Ipv6Prefix extends Prefix {
  readonly address: Ipv6;
}

/** How many bits an address of this family has. */
export function bitsOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Reads `address/length`.
 *
 * @throws {SyntaxError} If the text is not a prefix, or has host bits set.
 *
 * @example
 * ```ts
 * import { throws } from "node:assert/strict";
 * import { parsePrefix } from "./prefix.ts";
 *
 * parsePrefix("192.0.2.0/24");
 * throws(() => parsePrefix("192.0.2.1/24"), SyntaxError); // host bits are set
 * ```
 */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/");
  const length = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9][0-9]{0,2})$/.test(length)) {
    throw new SyntaxError(`Cannot read "${text}": not a prefix like 192.0.2.0/24`);
  }
  const address = parseIp(text.slice(0, slash));
  if (Number(length) > bitsOf(address.family)) {
    throw new SyntaxError(
      `Cannot read "${text}": the length is over ${bitsOf(address.family)} bits`,
    );
  }
  const prefix = prefixOf(address, Number(length));
  if (prefix.address.value !== address.value) {
    throw new SyntaxError(
      `Cannot read "${text}": host bits are set, ${formatPrefix(prefix)} is meant`,
    );
  }
  return prefix;
}

/**
 * Reads an IPv4 prefix.
 *
 * @throws {SyntaxError} As `parsePrefix`, and for IPv6.
 */
export function parseIpv4Prefix(text: string): Ipv4Prefix {
  const { address, length } = parsePrefix(text);
  if (address.family !== 4) throw new SyntaxError(`Cannot read "${text}": not an IPv4 prefix`);
  return { address, length };
}

/**
 * Reads an IPv6 prefix.
 *
 * @throws {SyntaxError} As `parsePrefix`, and for IPv4.
 */
export function parseIpv6Prefix(text: string): Ipv6Prefix {
  const { address, length } = parsePrefix(text);
  if (address.family !== 6) throw new SyntaxError(`Cannot read "${text}": not an IPv6 prefix`);
  return { address, length };
}

/** Writes `address/length`. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix.address)}/${prefix.length}`;
}

/**
 * Clears the host bits of an address.
 *
 * @throws {RangeError} If the length is not one of the family's.
 */
export function prefixOf(address: IpAddress, length: number): Prefix {
  const bits = bitsOf(address.family);
  if (!Number.isInteger(length) || length < 0 || length > bits) {
    throw new RangeError(`Cannot cut a prefix: ${length} is not a length from 0 to ${bits}`);
  }
  if (address.family === 4) {
    const size = 2 ** (32 - length);
    return {
      address: { family: 4, value: Math.floor(address.value / size) * size },
      length,
    };
  }
  const hostBits = BigInt(128 - length);
  return { address: { family: 6, value: (address.value >> hostBits) << hostBits }, length };
}

/**
 * Tells whether an address lies in a prefix; the other family never does.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { parseIp } from "./address.ts";
 * import { contains, parsePrefix } from "./prefix.ts";
 *
 * const range = parsePrefix("100.64.0.0/10");
 * equal(contains(range, parseIp("100.101.102.103")), true);
 * equal(contains(range, parseIp("2001:db8::1")), false);
 * ```
 */
export function contains(prefix: Prefix, address: IpAddress): boolean {
  const start = prefix.address;
  if (start.family === 4) {
    return address.family === 4 && address.value >= start.value &&
      address.value - start.value < 2 ** (32 - prefix.length);
  }
  const hostBits = BigInt(128 - prefix.length);
  return address.family === 6 && address.value >> hostBits === start.value >> hostBits;
}

/** Tells whether two prefixes share an address. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address);
}

/** Tells whether every address of the second prefix is the first one's, too. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && contains(outer, inner.address);
}

/** What is left of a prefix where others are taken out of it: prefixes, in order. */
export function without(prefix: Prefix, others: readonly Prefix[]): readonly Prefix[] {
  if (others.some((other) => covers(other, prefix))) return [];
  const inside = others.filter((other) => covers(prefix, other));
  if (inside.length === 0) return [prefix];
  return [prefix.address, lastAddress(prefix)]
    .map((address) => prefixOf(address, prefix.length + 1))
    .flatMap((half) => without(half, inside));
}

/** Tells whether two prefixes are the same. */
export function equalPrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && a.address.family === b.address.family &&
    a.address.value === b.address.value;
}

/** The last address of a prefix: the broadcast address of an IPv4 subnet. */
export function lastAddress(prefix: Prefix): IpAddress {
  const { address, length } = prefix;
  if (address.family === 4) {
    return { family: 4, value: address.value + 2 ** (32 - length) - 1 };
  }
  return { family: 6, value: address.value | ((1n << BigInt(128 - length)) - 1n) };
}
