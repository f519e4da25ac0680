import { formatIp, type IpAddress, parseIp, unmapIp } from "./address.ts";
import { formatPrefix, prefixOf } from "./prefix.ts";

/**
 * What an address is counted as, from the narrowest to the widest. Whoever has a /64 of IPv6 has all its addresses;
 * who has a line has its /56, and who rents a server often its /48.
 */
export interface Source {
  /** An IPv4 address itself, an IPv6 address as its /64. */
  readonly host: string;
  /** An IPv4 address itself, an IPv6 address as its /56. */
  readonly site: string;
  /** An IPv4 address as its /24, an IPv6 address as its /48. */
  readonly network: string;
}

const UNKNOWN: Source = { host: "unknown", site: "unknown", network: "unknown" };

/** Reads an address as limits count it. What is no address is counted together. */
export function sourceOf(address: string): Source {
  let ip: IpAddress;
  try {
    ip = unmapIp(parseIp(address));
  } catch {
    return UNKNOWN;
  }
  const within = (length: number) => formatPrefix(prefixOf(ip, length));
  if (ip.family === 6) return { host: within(64), site: within(56), network: within(48) };
  return { host: formatIp(ip), site: formatIp(ip), network: within(24) };
}
