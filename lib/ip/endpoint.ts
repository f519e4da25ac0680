/**
 * Endpoints: an address and a port, `192.0.2.1:53` or `[2001:db8::1]:53`.
 *
 * @module
 * @see RFC 3986 section 3.2.2, RFC 5952 section 6
 */

import { formatIp, type IpAddress, parseIpv4, parseIpv6 } from "./address.ts";

/** Where a socket is, or goes. Port 0 means "any" where a socket is bound. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/**
 * Reads an endpoint; IPv6 stands in brackets, the port is decimal and always there.
 *
 * @throws {SyntaxError} If the text is anything else.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { formatEndpoint, parseEndpoint } from "./endpoint.ts";
 *
 * equal(parseEndpoint("192.0.2.1:53").port, 53);
 * equal(formatEndpoint(parseEndpoint("[2001:DB8::1]:53")), "[2001:db8::1]:53");
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, Math.max(colon, 0));
  const port = text.slice(colon + 1);
  if (colon < 0 || !/^(0|[1-9][0-9]{0,4})$/.test(port) || Number(port) > 65535) {
    throw new SyntaxError(`Cannot read "${text}": not an endpoint like 192.0.2.1:53`);
  }
  const address = host.startsWith("[") && host.endsWith("]")
    ? parseIpv6(host.slice(1, -1))
    : parseIpv4(host);
  return { address, port: Number(port) };
}

/** Writes an endpoint, IPv6 in brackets. */
export function formatEndpoint(endpoint: Endpoint): string {
  const { address, port } = endpoint;
  return address.family === 4 ? `${formatIp(address)}:${port}` : `[${formatIp(address)}]:${port}`;
}

/** Tells whether two endpoints are the same. */
export function equalEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address.family === b.address.family &&
    a.address.value === b.address.value;
}
