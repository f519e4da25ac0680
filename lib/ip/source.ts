import { formatIp, parseIp, unmapIp } from "./address.ts";
import { formatPrefix, prefixOf } from "./prefix.ts";

/**
 * What an address is counted as: an IPv4 address itself, an IPv6 address as its /64, which one host can use up.
 * Anything else is counted together.
 */
export function sourceOf(address: string): string {
  try {
    const ip = unmapIp(parseIp(address));
    return ip.family === 4 ? formatIp(ip) : formatPrefix(prefixOf(ip, 64));
  } catch {
    return "unknown";
  }
}
