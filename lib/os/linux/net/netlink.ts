/**
 * Links, addresses and routes through rtnetlink; no `ip` program is needed. Every call acts in the network
 * namespace of this process.
 *
 * @module
 * @see rtnetlink(7)
 */
import {
  decodeIp,
  encodeIp,
  formatIp,
  formatPrefix,
  type IpAddress,
  type Prefix,
} from "../../../ip/mod.ts";
import { prefixOf } from "../../../ip/mod.ts";
import type { InterfaceAddress, NetworkWatch as Watch, Route } from "../../machine.ts";
import {
  type Act,
  closeFd,
  cString,
  ensure,
  errnoName,
  osError,
  type Shim,
  textOf,
} from "../shim.ts";
import { READABLE, Waiter } from "../waiter.ts";

const RECORD_SIZE = 32;
const DUMP_START_BYTES = 64 * 1024;
const DUMP_LIMIT_BYTES = 64 * 1024 * 1024;

const DENIED = {
  EPERM: { code: "net-admin-denied", state: "CAP_NET_ADMIN is missing", hint: "Run with sudo" },
} as const;

/**
 * Finds the index of a link by its name.
 *
 * @throws {OsError} `link-unknown`.
 */
export function linkIndex(shim: Shim, name: string): number {
  return ensure(shim, shim.symbols.vnet_link_index(cString(name)), {
    act: `find link "${name}"`,
    call: "SIOCGIFINDEX",
    code: "link-unknown",
  });
}

/**
 * Finds the name of a link by its index.
 *
 * @throws {OsError} `link-unknown`.
 */
export function linkName(shim: Shim, ifindex: number): string {
  const out = new Uint8Array(16);
  ensure(shim, shim.symbols.vnet_link_name(ifindex, out, out.length), {
    act: `find link ${ifindex}`,
    call: "SIOCGIFNAME",
    code: "link-unknown",
  });
  return textOf(out);
}

/** Brings a link up without an fe80:: address; MTU 0 leaves the MTU alone. */
export function linkUp(shim: Shim, ifindex: number, mtu: number): void {
  ensure(shim, shim.symbols.vnet_link_up(ifindex, mtu), linkAct("bring up", ifindex));
}

/** Takes a link down. */
export function linkDown(shim: Shim, ifindex: number): void {
  ensure(shim, shim.symbols.vnet_link_down(ifindex), linkAct("take down", ifindex));
}

/** Deletes a link. */
export function linkDelete(shim: Shim, ifindex: number): void {
  ensure(shim, shim.symbols.vnet_link_delete(ifindex), linkAct("delete", ifindex));
}

/** Whether a link that is made now gets IPv6: a kernel may lack it, an administrator may switch it off. */
export async function hasIpv6(procDir = "/proc"): Promise<boolean> {
  const path = `${procDir}/sys/net/ipv6/conf/default/disable_ipv6`;
  return await Deno.readTextFile(path).then((text) => text.trim() === "0", () => false);
}

/**
 * Adds an address to a link; IPv6 is usable at once and brings no route of its own.
 *
 * @throws {OsError} `address-failed`; errno `EACCES` or `EOPNOTSUPP` where IPv6 is switched off.
 */
export function addAddress(
  shim: Shim,
  ifindex: number,
  address: IpAddress,
  prefixLength: number,
): void {
  const bytes = encodeIp(address);
  const result = shim.symbols.vnet_address_add(ifindex, bytes, bytes.length, prefixLength);
  ensure(shim, result, addressAct("add", address));
}

/** Removes an address; none there is `false`. */
export function removeAddress(
  shim: Shim,
  ifindex: number,
  address: IpAddress,
  prefixLength: number,
): boolean {
  const bytes = encodeIp(address);
  const result = shim.symbols.vnet_address_remove(ifindex, bytes, bytes.length, prefixLength);
  return removed(shim, result, ["EADDRNOTAVAIL", "ENODEV"], addressAct("remove", address));
}

/**
 * Adds a route into a link. The congestion control is a wish: a kernel without it gets a plain route.
 *
 * @returns Whether the wish was granted; true without one.
 * @throws {OsError} `route-exists` if the identical route is there, `route-failed` else.
 */
export function addRoute(
  shim: Shim,
  ifindex: number,
  prefix: Prefix,
  { source, congestion = "" }: { readonly source?: IpAddress; readonly congestion?: string } = {},
): boolean {
  const bytes = encodeIp(prefix.address);
  const from = source === undefined ? null : encodeIp(source);
  const add = (control: string) =>
    shim.symbols.vnet_route_add(
      ifindex,
      bytes,
      bytes.length,
      prefix.length,
      from,
      cString(control),
    );
  const result = add(congestion);
  if (congestion === "" || result >= 0 || !WISH_REFUSED.has(errnoName(shim, -result))) {
    ensure(shim, result, routeAct("add", prefix));
    return true;
  }
  ensure(shim, add(""), routeAct("add", prefix));
  return false;
}

const WISH_REFUSED: ReadonlySet<string> = new Set(["EINVAL", "ENOENT", "EPERM"]);

/** Removes a route that `addRoute` made; none there is `false`. */
export function removeRoute(shim: Shim, ifindex: number, prefix: Prefix): boolean {
  const bytes = encodeIp(prefix.address);
  const result = shim.symbols.vnet_route_remove(ifindex, bytes, bytes.length, prefix.length);
  return removed(shim, result, ["ESRCH", "ENODEV"], routeAct("remove", prefix));
}

/** Lists the routes of all tables, both families, in the kernel's order. */
export function listRoutes(shim: Shim): Route[] {
  const routes: Route[] = [];
  for (const family of [4, 6] as const) {
    const dump = (out: Uint8Array<ArrayBuffer>) =>
      shim.symbols.vnet_route_dump(family, out, out.length);
    for (const record of records(shim, dump, "RTM_GETROUTE")) {
      routes.push({
        prefix: prefixOf(addressAt(record, 16, family), record.getUint8(1)),
        table: record.getUint32(4, LITTLE),
        type: record.getUint8(2),
        ifindex: record.getUint32(8, LITTLE),
        metric: record.getUint32(12, LITTLE),
      });
    }
  }
  return routes;
}

/** Lists the gateways of all routes, of both families; one may be there often. */
export function listGateways(shim: Shim): IpAddress[] {
  return ([4, 6] as const).flatMap((family) => {
    const dump = (out: Uint8Array<ArrayBuffer>) =>
      shim.symbols.vnet_gateway_dump(family, out, out.length);
    return records(shim, dump, "RTM_GETROUTE")
      .map((record) => addressAt(record, 16, record.getUint8(0) === 4 ? 4 : 6));
  });
}

/** Lists the addresses of all links, both families, in the kernel's order. */
export function listAddresses(shim: Shim): InterfaceAddress[] {
  const addresses: InterfaceAddress[] = [];
  for (const family of [4, 6] as const) {
    const dump = (out: Uint8Array<ArrayBuffer>) =>
      shim.symbols.vnet_address_dump(family, out, out.length);
    for (const record of records(shim, dump, "RTM_GETADDR")) {
      addresses.push({
        address: addressAt(record, 16, family),
        prefixLength: record.getUint8(1),
        ifindex: record.getUint32(4, LITTLE),
      });
    }
  }
  return addresses;
}

/** Changes of links, addresses and routes, by anybody. */
export class NetworkWatch implements Watch {
  readonly #shim: Shim;
  readonly #fd: number;
  readonly #waiter: Waiter;

  private constructor(shim: Shim, fd: number) {
    this.#shim = shim;
    this.#fd = fd;
    this.#waiter = new Waiter(shim, fd);
  }

  /** Begins to listen. @throws {OsError} `netlink-failed`. */
  static open(shim: Shim): NetworkWatch {
    return new NetworkWatch(shim, ensure(shim, shim.symbols.vnet_network_watch(), WATCH));
  }

  /**
   * Waits until something has changed since the last time.
   *
   * @returns False once closed.
   * @throws The signal's reason when it is aborted; {OsError} `netlink-failed`.
   */
  async next(signal?: AbortSignal): Promise<boolean> {
    while (await this.#waiter.wait(READABLE, signal)) {
      if (ensure(this.#shim, this.#shim.symbols.vnet_network_changes(this.#fd), WATCH) > 0) {
        return true;
      }
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#waiter.closed) return;
    await this.#waiter.close();
    closeFd(this.#shim, this.#fd);
  }
}

const WATCH = { act: "follow the network", call: "RTMGRP", code: "netlink-failed" } as const;

/** The shim writes records in host order. */
const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function addressAt(record: DataView, offset: number, family: 4 | 6): IpAddress {
  const length = family === 4 ? 4 : 16;
  const address = decodeIp(new Uint8Array(record.buffer, record.byteOffset + offset, length));
  if (address === null) throw new TypeError("Cannot read a record of the shim");
  return address;
}

/** Calls a dump with growing buffers until its answer fits; a kernel without the family has no records. */
function records(
  shim: Shim,
  dump: (out: Uint8Array<ArrayBuffer>) => number,
  call: string,
): DataView[] {
  const act = { act: "list addresses or routes", call, code: "netlink-failed" } as const;
  for (let size = DUMP_START_BYTES;; size *= 4) {
    const out = new Uint8Array(size);
    const length = dump(out);
    const name = length < 0 ? errnoName(shim, -length) : "";
    if (name === "EOPNOTSUPP" || name === "EAFNOSUPPORT") return [];
    if (name === "ENOBUFS" && size < DUMP_LIMIT_BYTES) continue;
    if (length < 0) throw osError(shim, -length, act);
    return Array.from(
      { length: length / RECORD_SIZE },
      (_, index) => new DataView(out.buffer, index * RECORD_SIZE, RECORD_SIZE),
    );
  }
}

function removed(shim: Shim, result: number, absent: readonly string[], act: Act): boolean {
  if (result < 0 && absent.includes(errnoName(shim, -result))) return false;
  ensure(shim, result, act);
  return true;
}

function linkAct(verb: string, ifindex: number): Act {
  return {
    act: `${verb} link ${ifindex}`,
    call: "RTM_NEWLINK",
    code: "link-failed",
    cases: { ...DENIED, ENODEV: { code: "link-unknown" } },
  };
}

function addressAct(verb: string, address: IpAddress): Act {
  return {
    act: `${verb} address ${formatIp(address)}`,
    call: verb === "add" ? "RTM_NEWADDR" : "RTM_DELADDR",
    code: "address-failed",
    cases: { ...DENIED, EEXIST: { code: "address-exists" } },
  };
}

function routeAct(verb: string, prefix: Prefix): Act {
  return {
    act: `${verb} route ${formatPrefix(prefix)}`,
    call: verb === "add" ? "RTM_NEWROUTE" : "RTM_DELROUTE",
    code: "route-failed",
    cases: { ...DENIED, EEXIST: { code: "route-exists" } },
  };
}
