/**
 * Names of addresses: `1.0.64.100.in-addr.arpa` and its IPv6 kin.
 *
 * @module
 * @see RFC 1035 section 3.5, RFC 3596 section 2.5
 */

import { bitsOf, encodeIp, type IpAddress, type Prefix, prefixOf } from "../../ip/mod.ts";
import type { DomainName } from "../name.ts";

const IPV4_SUFFIX = "in-addr.arpa";
const IPV6_SUFFIX = "ip6.arpa";

/** The name that asks for the name of an address. */
export function reverseName(address: IpAddress): DomainName {
  return reverseZone({ address, length: bitsOf(address.family) });
}

/**
 * Reads a reverse name, whole or cut short at its front.
 *
 * @param name Lower case, without trailing dot.
 * @returns What the name covers, a single address if it is whole; `null` if it is no reverse name.
 */
export function parseReverseName(name: string): Prefix | null {
  if (!name.endsWith(".arpa")) return null;
  if (name.endsWith(`.${IPV4_SUFFIX}`)) {
    return readQuad(name.slice(0, -IPV4_SUFFIX.length - 1).split("."));
  }
  if (name.endsWith(`.${IPV6_SUFFIX}`)) {
    return readNibbles(name.slice(0, -IPV6_SUFFIX.length - 1).split("."));
  }
  return null;
}

/**
 * The zones to claim so that reverse questions for a prefix arrive, 128 of them at worst, in order.
 *
 * A prefix that ends inside the last octet (or nibble) of its addresses has one zone that is wider than it;
 * questions outside the prefix are then forwarded.
 *
 * @throws {RangeError} For the prefix of length 0, which is everybody's.
 */
export function reverseZones(prefix: Prefix): DomainName[] {
  const { address, length } = prefix;
  if (length === 0) throw new RangeError("Cannot claim the reverse names of every address");
  const zoneLength = zoneLengthOf(prefix);
  const zones: DomainName[] = [];
  const hostBits = bitsOf(address.family) - zoneLength;
  for (let i = 0; i < 2 ** Math.max(zoneLength - length, 0); i++) {
    const start: IpAddress = address.family === 4
      ? { family: 4, value: address.value + i * 2 ** hostBits }
      : { family: 6, value: address.value + (BigInt(i) << BigInt(hostBits)) };
    zones.push(reverseZone(prefixOf(start, zoneLength)));
  }
  return zones;
}

/** The zone that holds the reverse name of an address, one of `reverseZones` of the prefix. */
export function reverseZoneOf(prefix: Prefix, address: IpAddress): DomainName {
  return reverseZone(prefixOf(address, zoneLengthOf(prefix)));
}

/** Whole labels that cover the prefix, but never the whole name of one address. */
function zoneLengthOf({ address, length }: Prefix): number {
  const step = address.family === 4 ? 8 : 4;
  return Math.min(Math.ceil(length / step) * step, bitsOf(address.family) - step);
}

/** The reverse name of a prefix that ends between labels. */
function reverseZone({ address, length }: Prefix): DomainName {
  const bytes = [...encodeIp(address)];
  const labels = address.family === 4
    ? bytes.map(String)
    : bytes.flatMap((byte) => [(byte >> 4).toString(16), (byte & 15).toString(16)]);
  const suffix = address.family === 4 ? IPV4_SUFFIX : IPV6_SUFFIX;
  const count = length / (address.family === 4 ? 8 : 4);
  return [...labels.slice(0, count).reverse(), suffix].join(".") as DomainName;
}

function readQuad(labels: readonly string[]): Prefix | null {
  if (labels.length > 4) return null;
  let value = 0;
  for (const label of labels.toReversed()) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(label) || Number(label) > 255) return null;
    value = value * 256 + Number(label);
  }
  value *= 256 ** (4 - labels.length);
  return { address: { family: 4, value }, length: labels.length * 8 };
}

function readNibbles(labels: readonly string[]): Prefix | null {
  if (labels.length > 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return null;
  const hex = labels.toReversed().join("").padEnd(32, "0");
  return { address: { family: 6, value: BigInt(`0x${hex}`) }, length: labels.length * 4 };
}
