/**
 * Addresses that somebody on this machine uses though no route or address of the machine shows them: what lies
 * behind the default route is in use, too, once a program talks to it.
 *
 * @module
 */
import { type IpAddress, isUnspecified, parseIp, unmapIp } from "../../../ip/mod.ts";
import type { Occupant } from "../../machine.ts";
import { SYSTEM_PATHS } from "../dns/mod.ts";
import { listGateways } from "../net/netlink.ts";
import {
  readSocketTables,
  SOCKET_TABLES,
  type SocketRow,
  TCP_STATE,
} from "../net/socket_tables.ts";
import { loadShim } from "../shim.ts";

/** Where the machine's nameservers stand, whoever resolves: a stub's own file hides those it asks. */
const RESOLVER_FILES: readonly string[] = [
  SYSTEM_PATHS.resolvConf,
  SYSTEM_PATHS.resolvedUplinks,
  "/run/NetworkManager/no-stub-resolv.conf",
];

/** A program reads, or still may. Who only began to connect has nothing to lose. */
const LIVE_STATES: ReadonlySet<number> = new Set([
  TCP_STATE.established,
  TCP_STATE.finWait1,
  TCP_STATE.finWait2,
  TCP_STATE.closeWait,
]);

/** Lists the gateways, the nameservers, and both ends of every live connection and connected UDP socket. */
export function listOccupants(files: readonly string[] = RESOLVER_FILES): readonly Occupant[] {
  return [
    ...listGateways(loadShim()).map((address) => ({ kind: "gateway", address }) as const),
    ...files.flatMap(nameserversOf),
    ...connectedEnds(readSocketTables(SOCKET_TABLES)),
  ];
}

/** The ends of what is connected. */
export function connectedEnds(
  rows: readonly Pick<SocketRow, "local" | "remote" | "state" | "isHeld">[],
): readonly Occupant[] {
  return rows.filter(({ state, isHeld }) => isHeld && LIVE_STATES.has(state))
    .flatMap(({ local, remote }) => [local, remote])
    .filter((address) => !isUnspecified(address))
    .map((address) => ({ kind: "connection", address }) as const);
}

function nameserversOf(path: string): readonly Occupant[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return []; // Not every machine has every file.
  }
  return nameserversIn(text).map((address) => ({ kind: "nameserver", address }));
}

/** Every nameserver of a resolv.conf, also those that programs leave out for being too many. */
export function nameserversIn(text: string): readonly IpAddress[] {
  // A link-local one names its link behind a per cent sign.
  return [...text.matchAll(/^nameserver[ \t]+([^\s#;%]+)/gm)]
    .flatMap(([, written = ""]) => tryParse(written) ?? []);
}

function tryParse(text: string): IpAddress | null {
  try {
    return unmapIp(parseIp(text));
  } catch {
    return null;
  }
}
