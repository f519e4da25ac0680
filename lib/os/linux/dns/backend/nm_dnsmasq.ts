/**
 * The back end for a NetworkManager that runs dnsmasq: a drop-in that sends our zones to us, and a reload.
 *
 * @module
 * @see NetworkManager.conf(5), "dns=dnsmasq"
 */
import { parseResolvConf } from "../../../../dns/mod.ts";
import { formatIp, type IpAddress, parseIp } from "../../../../ip/mod.ts";
import type { Backend, Condition, Place } from "./backend.ts";
import { followBus } from "../../dbus/follow.ts";
import { Dbus } from "../../dbus/dbus.ts";
import type { DbusValue, Variant } from "../../dbus/value.ts";
import type { Entry } from "../undo/journal.ts";
import { NETWORK_MANAGER } from "../../dbus/names.ts";
import { newFile } from "./takeover.ts";
import type { OsDnsRequest, Upstreams } from "../types.ts";
import { nameserver, upstreamsOf } from "../find/upstreams.ts";

type NmDnsmasqEntry = Extract<Entry, { backend: "nm-dnsmasq" }>;

export const DROP_IN = "zz-vnet.conf";
/** NM_MANAGER_RELOAD_FLAG_DNS_FULL: dnsmasq is started again and reads its drop-ins. */
const RELOAD_DNS_FULL = 4;

export class NmDnsmasqBackend implements Backend {
  readonly kind = "nm-dnsmasq";
  readonly #place: Place;
  readonly #entry: NmDnsmasqEntry;

  constructor(place: Place) {
    this.#place = place;
    this.#entry = {
      v: 1,
      backend: "nm-dnsmasq",
      path: `${place.paths.nmDnsmasqDir}/${DROP_IN}`,
    };
  }

  plan(request: OsDnsRequest): Promise<string[]> {
    return Promise.resolve([
      `write ${this.#place.journal.path} (drop-in ${this.#entry.path})`,
      ...dropIn(request).split("\n").filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => `write ${this.#entry.path}: ${line}`),
      `NetworkManager Reload dns-full`,
    ]);
  }

  async apply(request: OsDnsRequest): Promise<void> {
    const { journal, disk } = this.#place;
    await journal.write(this.#entry);
    await disk.replace(this.#entry.path, new TextEncoder().encode(dropIn(request)), newFile());
    await reload(this.#place);
  }

  async condition(request: OsDnsRequest): Promise<Condition> {
    const text = await Deno.readTextFile(this.#entry.path).catch(() => "");
    return text === dropIn(request)
      ? { kind: "intact" }
      : { kind: "undone", why: `${this.#entry.path} was changed` };
  }

  async upstreams(request: OsDnsRequest): Promise<Upstreams> {
    await using bus = await Dbus.connect({ socket: this.#place.paths.busSocket });
    const rows = await bus.property({ ...NETWORK_MANAGER, property: "Configuration" });
    const entries = Array.isArray(rows) ? rows.filter((row) => row instanceof Map) : [];
    const resolvConf = await Deno.readTextFile(this.#place.paths.resolvConf).catch(() => "");
    return upstreamsOf({
      candidates: entries.flatMap((row) => texts(row, "nameservers")).flatMap(addressOf)
        .map(nameserver),
      search: parseResolvConf(resolvConf).search,
      server: request.server,
      dropStubs: false,
    });
  }

  revert(_request: OsDnsRequest): Promise<string[]> {
    return undoNmDnsmasq(this.#entry, this.#place);
  }

  follow(poke: () => void, signal: AbortSignal): Promise<void> {
    return followBus({
      socket: this.#place.paths.busSocket,
      service: NETWORK_MANAGER.destination,
      rules: [
        `type='signal',path='${NETWORK_MANAGER.path}',interface='org.freedesktop.DBus.Properties'`,
      ],
      onOwner: poke,
      onListening: poke,
      onSignal: poke,
    }, signal);
  }
}

/** Removes the drop-in and has NetworkManager forget it. @returns What was done, line by line */
export async function undoNmDnsmasq(entry: NmDnsmasqEntry, place: Place): Promise<string[]> {
  await place.disk.sweep(entry.path);
  const isThere = await Deno.stat(entry.path).then(() => true, () => false);
  if (isThere) await place.disk.remove(entry.path);
  const lines = [`removed ${entry.path}`];
  try {
    await reload(place);
    lines.push("NetworkManager Reload dns-full");
  } catch {
    lines.push("NetworkManager is not there to be told: it reads the directory when it starts");
  }
  await place.journal.drop();
  return lines;
}

async function reload(place: Place): Promise<void> {
  await using bus = await Dbus.connect({ socket: place.paths.busSocket });
  await bus.call({
    destination: NETWORK_MANAGER.destination,
    path: "/org/freedesktop/NetworkManager",
    interface: "org.freedesktop.NetworkManager",
    member: "Reload",
    signature: "u",
    body: [RELOAD_DNS_FULL],
  });
}

/** Answers from private ranges pass `--stop-dns-rebind` only for domains named so. */
function dropIn(request: OsDnsRequest): string {
  const { address, port } = request.server;
  const lines = request.zones.flatMap((zone) => [
    `server=/${zone}/${formatIp(address)}#${port}`,
    `rebind-domain-ok=/${zone}/`,
  ]);
  return ["# Written by vnet; may be deleted when vnet is not running", ...lines, ""].join("\n");
}

function texts(row: ReadonlyMap<DbusValue, DbusValue>, key: string): string[] {
  const variant = row.get(key) as Variant | undefined;
  return Array.isArray(variant?.value) ? variant.value.map(String) : [];
}

/** Newer versions may write a scheme or a port; only a plain address is one we can ask. */
function addressOf(text: string): IpAddress[] {
  try {
    return [parseIp(text)];
  } catch {
    return [];
  }
}
