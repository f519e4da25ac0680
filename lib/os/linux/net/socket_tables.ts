/**
 * The kernel's tables of sockets, as text: every TCP and UDP socket of this network namespace, whoever's it is.
 *
 * @module
 * @see proc_pid_net(5)
 */
import { decodeIp, type Endpoint, type IpAddress, unmapIp } from "../../../ip/mod.ts";
import type { Connection } from "../../machine.ts";

/** One row. */
export interface SocketRow {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  /** As the kernel counts TCP's; UDP has ESTABLISHED for a connected socket. */
  readonly state: number;
  /** Whether a program, or the kernel itself, still holds it: what is only closing has no inode any more. */
  readonly isHeld: boolean;
  /** Whether something was sent again, and nothing has come back since. */
  readonly isUnheard: boolean;
}

/** Of a connection, by net/tcp_states.h. */
export const TCP_STATE = {
  established: 1,
  synSent: 2,
  finWait1: 4,
  finWait2: 5,
  closeWait: 8,
} as const;

/** Which tables there are. */
export const SOCKET_TABLES = ["tcp", "tcp6", "udp", "udp6"] as const;

/** Reads some of the tables; a kernel without IPv6 lacks those. */
export function readSocketTables(
  tables: readonly typeof SOCKET_TABLES[number][],
): readonly SocketRow[] {
  return tables.flatMap((table) => parseSocketTable(readTable(`/proc/self/net/${table}`)));
}

/**
 * Reads a table; what is no row is left out.
 *
 * @see proc_pid_net(5): addresses are 32-bit words in hexadecimal, each in the byte order of this machine
 */
export function parseSocketTable(text: string): readonly SocketRow[] {
  return text.split("\n").slice(1).flatMap((line) => {
    const [, local = "", remote = "", state = "", , timer = "", again = "", , probes = "", inode] =
      line.trim().split(/\s+/);
    const [from, to] = [parseEnd(local), parseEnd(remote)];
    if (from === null || to === null || !/^[0-9A-F]{2}$/.test(state)) return [];
    return [{
      local: from.address,
      localPort: from.port,
      remote: to.address,
      remotePort: to.port,
      state: Number.parseInt(state, 16),
      isHeld: /^[0-9]+$/.test(inode ?? "") && Number(inode) !== 0,
      isUnheard: isUnheard(timer, Number.parseInt(again, 16), Number(probes)),
    }];
  });
}

/** Lists the TCP connections on which something was sent again, and nothing has come back since. */
export function readUnheard(): readonly Connection[] {
  return readSocketTables(["tcp", "tcp6"]).filter(({ isUnheard }) => isUnheard)
    .map(({ local, localPort, remote, remotePort }) => ({
      source: { address: local, port: localPort },
      destination: { address: remote, port: remotePort },
    }));
}

/**
 * Judges the timer of a connection: `01` waits for what was sent to be acknowledged, `04` asks a peer with a full buffer
 * for room. Who is slow but there acknowledges both.
 *
 * @see get_tcp4_sock() of the kernel: the columns `tr`, `retrnsmt` and `timeout`, which counts the probes
 */
function isUnheard(timer: string, again: number, probes: number): boolean {
  if (timer.startsWith("01:")) return again >= 1;
  return timer.startsWith("04:") && probes >= 2;
}

function parseEnd(text: string): Endpoint | null {
  const [hex = "", port = ""] = text.split(":");
  if (!/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(hex)) return null;
  const words = new Uint32Array(hex.length / 8);
  for (let at = 0; at < words.length; at++) {
    words[at] = Number.parseInt(hex.slice(at * 8, at * 8 + 8), 16);
  }
  const address = decodeIp(new Uint8Array(words.buffer));
  if (address === null || !/^[0-9A-F]{1,4}$/.test(port)) return null;
  return { address: unmapIp(address), port: Number.parseInt(port, 16) };
}

function readTable(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return "";
    throw thrown;
  }
}
