/**
 * IP addresses as values: strict text in, RFC 5952 text out, bytes both ways.
 *
 * Knows nothing of ports, zones (`%eth0`) or interfaces: such text is refused.
 *
 * @module
 */

/** An IPv4 address as one unsigned 32-bit number, first octet highest. */
export interface Ipv4 {
  readonly family: 4;
  readonly value: number;
}

/** An IPv6 address as one unsigned 128-bit integer. */
export interface Ipv6 {
  readonly family: 6;
  readonly value: bigint;
}

/** Either family. */
export type IpAddress = Ipv4 | Ipv6;

const IPV4_MAX = 0xffff_ffff;
const IPV6_MAX = (1n << 128n) - 1n;
const MAPPED_PREFIX = 0xffffn;

/**
 * Makes an IPv4 address of its number.
 *
 * @throws {RangeError} If the number is not an unsigned 32-bit integer.
 */
export function ipv4(value: number): Ipv4 {
  if (!Number.isInteger(value) || value < 0 || value > IPV4_MAX) {
    throw new RangeError(`Cannot make an IPv4 address of ${value}: it is not 32 bits`);
  }
  return { family: 4, value };
}

/**
 * Makes an IPv6 address of its number.
 *
 * @throws {RangeError} If the number is not an unsigned 128-bit integer.
 */
export function ipv6(value: bigint): Ipv6 {
  if (value < 0n || value > IPV6_MAX) {
    throw new RangeError(`Cannot make an IPv6 address of ${value}: it is not 128 bits`);
  }
  return { family: 6, value };
}

/**
 * Reads an address of either family; a colon makes it IPv6.
 *
 * @throws {SyntaxError} If the text is not exactly one address.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { formatIp, parseIp } from "./address.ts";
 *
 * equal(formatIp(parseIp("2001:DB8:0:0::1")), "2001:db8::1");
 * ```
 */
export function parseIp(text: string): IpAddress {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/**
 * Reads a dotted quad: four decimal octets without leading zeros, nothing else.
 *
 * @throws {SyntaxError} If the text is anything else, `inet_aton` spellings included.
 */
export function parseIpv4(text: string): Ipv4 {
  const value = readQuad(text);
  if (value === null) {
    throw new SyntaxError(`Cannot read "${text}": not an IPv4 address like 192.0.2.1`);
  }
  return { family: 4, value };
}

/**
 * Reads the text forms of RFC 4291 section 2.2, a dotted quad at the end included.
 *
 * @throws {SyntaxError} If the text is anything else, a zone (`%eth0`) or brackets included.
 * @see RFC 4291 section 2.2
 */
export function parseIpv6(text: string): Ipv6 {
  const groups = readGroups(text);
  if (groups === null) {
    throw new SyntaxError(`Cannot read "${text}": not an IPv6 address like 2001:db8::1`);
  }
  let value = 0n;
  for (const group of groups) value = (value << 16n) | BigInt(group);
  return { family: 6, value };
}

/**
 * Writes an address in its one canonical spelling.
 *
 * @see RFC 5952 sections 4 and 5
 */
export function formatIp(address: IpAddress): string {
  return address.family === 4 ? formatQuad(address.value) : formatGroups(address.value);
}

/** Writes an address as 4 or 16 bytes, network order, in a fresh array. */
export function encodeIp(address: IpAddress): Uint8Array<ArrayBuffer> {
  if (address.family === 4) {
    const { value } = address;
    return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
  }
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, address.value >> 64n);
  view.setBigUint64(8, address.value & 0xffff_ffff_ffff_ffffn);
  return bytes;
}

/**
 * Reads 4 or 16 bytes, network order.
 *
 * @returns The address, or `null` if the length is neither.
 */
export function decodeIp(bytes: Uint8Array): IpAddress | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (bytes.length) {
    case 4:
      return { family: 4, value: view.getUint32(0) };
    case 16:
      return { family: 6, value: (view.getBigUint64(0) << 64n) | view.getBigUint64(8) };
    default:
      return null;
  }
}

/** Tells whether two addresses are the same; a mapped IPv4 address is not its IPv4 address. */
export function equalIp(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}

/** Orders addresses, IPv4 before IPv6, then by number; fit for `sort`. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/**
 * Takes an IPv4 address out of `::ffff:0:0/96`; every other address is returned as it is.
 *
 * @see RFC 4291 section 2.5.5.2
 */
export function unmapIp(address: IpAddress): IpAddress {
  if (address.family === 4 || address.value >> 32n !== MAPPED_PREFIX) return address;
  return { family: 4, value: Number(address.value & 0xffff_ffffn) };
}

function readQuad(text: string): number | null {
  const octets = text.split(".");
  if (octets.length !== 4) return null;
  let value = 0;
  for (const octet of octets) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(octet) || Number(octet) > 255) return null;
    value = value * 256 + Number(octet);
  }
  return value;
}

/** Reads eight 16-bit groups, or `null`; the longest valid text is 45 characters. */
function readGroups(text: string): readonly number[] | null {
  if (text.length > 45) return null;
  const gap = text.indexOf("::");
  if (gap < 0) {
    const groups = readRun(text, true);
    return groups?.length === 8 ? groups : null;
  }
  const head = gap === 0 ? [] : readRun(text.slice(0, gap), false);
  const tail = gap + 2 === text.length ? [] : readRun(text.slice(gap + 2), true);
  // "::" stands for at least one group; a second one leaves an empty group behind, refused by readRun
  if (head === null || tail === null || head.length + tail.length > 7) return null;
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function readRun(text: string, quadMayEnd: boolean): number[] | null {
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const quad = quadMayEnd && index === parts.length - 1 ? readQuad(part) : null;
    if (quad === null) return null;
    groups.push(quad >>> 16, quad & 0xffff);
  }
  return groups;
}

function formatQuad(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatGroups(value: bigint): string {
  if (value >> 32n === MAPPED_PREFIX) return `::ffff:${formatQuad(Number(value & 0xffff_ffffn))}`;
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn));
  const { start, length } = longestZeroRun(groups);
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}
