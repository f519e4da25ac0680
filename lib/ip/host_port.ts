import { formatIp, parseIp } from "./address.ts";

/** A host, by name or by address, and a TCP port. */
export interface HostPort {
  /** A DNS name in lower case, or an address as `formatIp` writes it, without brackets. */
  readonly host: string;
  readonly port: number;
}

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/**
 * Reads `host` or `host:port`; an IPv6 address stands in brackets.
 *
 * @param defaultPort Taken when the text names none; `null` makes the port required.
 * @returns The parts, or `null` if the text is anything else.
 */
export function parseHostPort(text: string, defaultPort: number | null): HostPort | null {
  const match = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return null;
  const host = parseHost(match[1]!);
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  if (host === null || port === null || port < 1 || port > 65_535) return null;
  return { host, port };
}

/** Writes what `parseHostPort` reads. */
export function formatHostPort({ host, port }: HostPort): string {
  return `${formatHost(host)}:${port}`;
}

/** Writes what `parseHost` reads: an IPv6 address stands in brackets. */
export function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Reads the host of a URI or an address: a DNS name, an IPv4 address, an IPv6 address in brackets.
 *
 * @returns The host without brackets, names in lower case, or `null` if it is none of these.
 */
export function parseHost(text: string): string | null {
  const bracketed = /^\[(.+)\]$/.exec(text);
  if (bracketed !== null || /^[\d.]+$/.test(text)) {
    try {
      return formatIp(parseIp(bracketed?.[1] ?? text));
    } catch {
      return null;
    }
  }
  const name = text.toLowerCase();
  return name.length <= 253 && HOST_NAME.test(name) ? name : null;
}
