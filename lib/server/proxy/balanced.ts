/**
 * Connections that load balancers bring: each begins with a header that says whose it is.
 *
 * @module
 */
import {
  contains,
  type Endpoint,
  type IpAddress,
  parseIp,
  type Prefix,
  unmapIp,
} from "../../ip/mod.ts";
import { closeQuietly, type Dialer, dialTcp } from "../../io/mod.ts";
import {
  decodeProxyHeader,
  PROXY_HEADER_MAX_BYTES,
  PROXY_LOCAL_HEADER,
  type ProxyHeaderFault,
  type ProxyHeaderProgress,
} from "../../tunnel/mod.ts";
import { withDeadline } from "../../wait.ts";

const PIECE_BYTES = 4096;

/** A connection, and whose it is. */
export interface Arrival {
  readonly conn: Deno.TcpConn;
  readonly from: Endpoint;
  /** What was read from it already, behind the header. */
  readonly firstBytes: Uint8Array;
}

/** Why there is no arrival: a header that is wrong, or none in time; `gone` for a look whether the port is open. */
export type HeaderFault = ProxyHeaderFault | "late" | "gone";

/** Where a TCP connection comes from; IPv4 by an IPv6 listener as IPv4. */
export function remoteOf(conn: Deno.TcpConn): Endpoint {
  const { hostname, port } = conn.remoteAddr;
  return { address: unmapIp(parseIp(hostname)), port };
}

export function isTrustedProxy(trusted: readonly Prefix[], address: IpAddress): boolean {
  return trusted.some((prefix) => contains(prefix, address));
}

/** Dials a proxy that takes us for a load balancer, because one is, or may be, at our address. */
export const dialAsBalancer: Dialer = async (address, signal) => {
  const socket = await dialTcp(address, signal);
  socket.write(PROXY_LOCAL_HEADER);
  return socket;
};

/** Reads the header of a balancer's connection. The connection is closed when it is late. */
export async function readArrival(
  conn: Deno.TcpConn,
  deadlineMs: number,
  closing: AbortSignal,
): Promise<Arrival | HeaderFault> {
  try {
    return await withDeadline(deadlineMs, closing, async (signal) => {
      // A read cannot be called off: closing the connection ends it.
      signal.addEventListener("abort", () => closeQuietly(conn), { once: true });
      return await read(conn);
    });
  } catch {
    return "late";
  }
}

async function read(conn: Deno.TcpConn): Promise<Arrival | HeaderFault> {
  // A whole header always fits, and what is behind it as far as one more read brings it
  const bytes = new Uint8Array(PROXY_HEADER_MAX_BYTES + PIECE_BYTES);
  let length = 0;
  for (;;) {
    const count = await conn.read(bytes.subarray(length, length + PIECE_BYTES));
    if (count === null) return length === 0 ? "gone" : "malformed";
    length += count;
    const progress: ProxyHeaderProgress = decodeProxyHeader(bytes.subarray(0, length));
    if (progress.kind === "bad") return progress.fault;
    if (progress.kind === "more") continue;
    return {
      conn,
      from: progress.source ?? remoteOf(conn),
      firstBytes: bytes.subarray(progress.bytes, length),
    };
  }
}
