/**
 * The connections that programs of this machine have open.
 *
 * @module
 * @see proc_pid_net(5)
 */
import { contains, decodeIp, type IpAddress, type Prefix, unmapIp } from "../../../ip/mod.ts";

/** ESTABLISHED, SYN_SENT and CLOSE_WAIT: a program has these open. */
const LIVE_STATES: readonly string[] = ["01", "02", "08"];

/** Lists the remote ends of this machine's TCP connections that lie in some ranges; no root is needed. */
export async function connectionsIn(ranges: readonly Prefix[]): Promise<readonly IpAddress[]> {
  const remotes: IpAddress[] = [];
  for (const table of ["tcp", "tcp6"]) {
    const text = await Deno.readTextFile(`/proc/self/net/${table}`).catch((thrown) => {
      if (thrown instanceof Deno.errors.NotFound) return ""; // a kernel without IPv6
      throw thrown;
    });
    remotes.push(...parseTcpTable(text));
  }
  return remotes.filter((address) => ranges.some((range) => contains(range, address)));
}

/**
 * Reads the remote addresses of a table of the kernel's.
 *
 * @see proc_net(5): addresses are 32-bit words in hexadecimal, each in the byte order of this machine
 */
export function parseTcpTable(text: string): readonly IpAddress[] {
  return text.split("\n").slice(1).flatMap((line) => {
    const [, , remote = "", state = ""] = line.trim().split(/\s+/);
    const [hex = ""] = remote.split(":");
    if (!LIVE_STATES.includes(state) || !/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(hex)) return [];
    const words = new Uint32Array(hex.length / 8);
    for (let at = 0; at < words.length; at++) {
      words[at] = Number.parseInt(hex.slice(at * 8, at * 8 + 8), 16);
    }
    const address = decodeIp(new Uint8Array(words.buffer));
    return address === null ? [] : [unmapIp(address)];
  });
}
