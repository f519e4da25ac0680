/**
 * Questions about and power over sockets that JavaScript does not offer.
 *
 * @module
 */
import { encodeIp, type Endpoint, formatEndpoint, type Prefix } from "../../../ip/mod.ts";
import type { Connection, SocketOwner } from "../../machine.ts";
import type { GuardOptions } from "../../root_machine.ts";
import { cString, ensure, errnoName, osError, type Shim } from "../shim.ts";

/**
 * Finds the descriptor of a `Deno.listen` socket of this process by its endpoint; it stays the listener's.
 *
 * @throws {OsError} `listener-unknown`.
 */
export function findListener(shim: Shim, endpoint: Endpoint): number {
  const bytes = encodeIp(endpoint.address);
  return ensure(shim, shim.symbols.vnet_listener_find(bytes, bytes.length, endpoint.port), {
    act: `find the listener of ${formatEndpoint(endpoint)}`,
    call: "getsockname",
    code: "listener-unknown",
  });
}

/**
 * Lets a listener and what it accepts see only packets that came in on some links, and from one address if
 * given; all else is dropped in silence. The congestion control is a wish.
 *
 * @throws {OsError} `listener-guard-failed`.
 */
export function guardListener(
  shim: Shim,
  fd: number,
  ifindexes: readonly number[],
  { source, congestion = "cubic" }: GuardOptions = {},
): void {
  const links = Uint32Array.from(ifindexes);
  const from = source === undefined ? null : encodeIp(source);
  const result = shim.symbols.vnet_listener_guard(fd, links, links.length, from, from?.length ?? 0);
  ensure(shim, result, {
    act: `guard listener ${fd}`,
    call: "SO_ATTACH_FILTER",
    code: "listener-guard-failed",
  });
  // best effort: EPERM where an administrator allows only other algorithms
  if (congestion !== "") shim.symbols.vnet_socket_congestion(fd, cString(congestion));
}

/** Opens what finds the owners of connections in this network namespace. @throws {OsError} `socket-owner-failed` */
export function openDiag(shim: Shim): number {
  return ensure(shim, shim.symbols.vnet_diag_open(), {
    act: "open what finds the owners of sockets",
    call: "socket",
    code: "socket-owner-failed",
  });
}

/**
 * Finds whose connection this is, by its exact addresses as its own process sees them.
 *
 * @returns The owner, or `null` if no socket of this network namespace has them.
 */
export function socketOwner(
  shim: Shim,
  { source, destination, ifindex = 0 }: Connection,
): SocketOwner | null {
  const from = encodeIp(source.address);
  const to = encodeIp(destination.address);
  if (from.length !== to.length) throw new TypeError("Cannot mix address families");
  const out = new Uint32Array(2);
  const result = shim.symbols.vnet_socket_owner(
    from,
    from.length,
    source.port,
    to,
    destination.port,
    ifindex,
    out,
    out.length,
  );
  if (result >= 0) return { uid: out[0] ?? 0, inode: out[1] ?? 0 };
  if (errnoName(shim, -result) === "ENOENT") return null;
  throw osError(shim, -result, {
    act: "find the owner of a socket",
    call: "SOCK_DIAG_BY_FAMILY",
    code: "socket-owner-failed",
  });
}

/**
 * Aborts every TCP connection whose remote address lies in a prefix.
 *
 * @returns How many.
 * @throws {OsError} `sockets-destroy-failed`, errno `EOPNOTSUPP` from a kernel without SOCK_DESTROY.
 */
export function destroySockets(shim: Shim, prefix: Prefix): number {
  const bytes = encodeIp(prefix.address);
  return ensure(shim, shim.symbols.vnet_socket_destroy(bytes, bytes.length, prefix.length), {
    act: "abort the connections of our range",
    call: "SOCK_DESTROY",
    code: "sockets-destroy-failed",
    cases: { EPERM: { state: "CAP_NET_ADMIN is missing", hint: "Run with sudo" } },
  });
}

/**
 * Opens the way on which released SYNs reach `lo`: a socket that takes whole packets and carries only SYNs and
 * ICMP errors to this host's own addresses on the TUN device. It may be passed to another process, which gains
 * nothing else by it; this process must live on and serves it until every copy is closed.
 *
 * @throws {OsError} `raw-denied` without CAP_NET_RAW, `raw-failed` else.
 */
export function openRaw(shim: Shim, family: 4 | 6, ifindex: number): number {
  return ensure(shim, shim.symbols.vnet_raw_open(family, ifindex), {
    act: `open a raw IPv${family} socket`,
    call: "socket",
    code: "raw-failed",
    cases: {
      EPERM: { code: "raw-denied", state: "CAP_NET_RAW is missing", hint: "Run with sudo" },
    },
  });
}
