/**
 * The bounds of what comes out of a link. Whoever holds a TUN device writes there what they like; these are the
 * kernel's own rules, set by root, and no process that holds the device can take them back.
 *
 * @module
 */
import { SOURCE } from "deno_tun";
import { encodeIp, type IpAddress } from "../../../ip/mod.ts";
import type { LinkSources } from "../../root_machine.ts";
import { ensure, type Shim } from "../shim.ts";

/**
 * Keeps what comes out of a link from going on: no IPv4 is forwarded unless that is wished for, it must come from an
 * address that is routed into the link, and nobody there is taken for a router. Whoever holds a TUN device could else
 * send to the network, or have the machine's IPv6 led to it by an advertisement.
 *
 * @returns What could not be set, as paths below /proc/sys; empty if all could.
 */
export function confineLink(name: string, { forwarding = false } = {}): string[] {
  const wanted = [
    ...(forwarding ? [] : [
      [`net/ipv4/conf/${name}/forwarding`, "0"],
      // Of IPv6 the kernel asks only the setting for all links; limitSources() does the rest.
      [`net/ipv6/conf/${name}/forwarding`, "0"],
    ] as const),
    [`net/ipv4/conf/${name}/rp_filter`, "1"],
    [`net/ipv4/conf/${name}/accept_local`, "0"],
    [`net/ipv6/conf/${name}/accept_ra`, "0"],
  ] as const;
  return wanted.filter(([path, value]) => !setSysctl(path, value)).map(([path]) => path);
}

/** Says what `confineLink` does, in one line. */
export function confinementOf(name: string, { forwarding = false } = {}): string {
  const off = forwarding ? "" : " forwarding=0";
  return `sysctl ${name} rp_filter=1 accept_local=0 accept_ra=0${off}`;
}

/**
 * Has the kernel drop what comes out of a link with another source, in both families; it replaces what was said before.
 *
 * @throws {OsError} `link-failed`; errno `ENOENT` or `EOPNOTSUPP` on a kernel without `clsact` or `cls_bpf`.
 */
export function limitSources(
  shim: Shim,
  ifindex: number,
  { allowed, own, onlyTo = [] }: LinkSources,
): void {
  const records = Uint8Array.from([
    ...onlyTo.flatMap((address) => record(address, hostLength(address), SOURCE.onlyTo)),
    ...own.flatMap((address) => record(address, hostLength(address), SOURCE.refused)),
    ...allowed.flatMap(({ address, length }) => record(address, length, SOURCE.allowed)),
  ]);
  ensure(shim, shim.symbols.vnet_link_sources(ifindex, records, records.length), {
    act: `limit what comes out of link ${ifindex}`,
    call: "RTM_NEWTFILTER",
    code: "link-failed",
  });
}

const RECORD_ADDRESS_BYTES = 16;

const hostLength = ({ family }: IpAddress) => family === 4 ? 32 : 128;

function record(address: IpAddress, length: number, kind: number): number[] {
  const bytes = new Uint8Array(RECORD_ADDRESS_BYTES);
  bytes.set(encodeIp(address));
  return [address.family, length, kind, 0, ...bytes];
}

/** A kernel without IPv6 has nothing to set; a container may have /proc/sys read-only. */
function setSysctl(path: string, value: string): boolean {
  try {
    if (Deno.readTextFileSync(`/proc/sys/${path}`).trim() === value) return true;
    Deno.writeTextFileSync(`/proc/sys/${path}`, value);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path.startsWith("net/ipv6/");
    if (error instanceof Error) return false;
    throw error;
  }
}
