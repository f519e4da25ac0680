/**
 * Per-link settings of systemd-resolved over D-Bus. They vanish with the link, so nothing is journaled.
 *
 * @module
 * @see org.freedesktop.resolve1(5)
 */
import { OsError } from "../../../../error.ts";
import { decodeIp, encodeIp, type Endpoint, formatEndpoint } from "../../../../ip/mod.ts";
import { type Dbus, isRows } from "../../dbus/dbus.ts";
import { DbusError } from "../../dbus/error.ts";
import type { DbusValue } from "../../dbus/value.ts";
import { NETWORKD, RESOLVED } from "../../dbus/names.ts";
import type { OsDnsRequest } from "../types.ts";

/** One call to be made on our link, and its line for people. */
interface Setting {
  readonly member: string;
  readonly signature: string;
  readonly body: readonly DbusValue[];
  readonly line: string;
  /** Older versions do not know it, and then do not need it. */
  readonly isOptional: boolean;
}

/** A resolver systemd-resolved knows of. */
export interface ResolvedServer {
  /** 0 for a global one. */
  readonly ifindex: number;
  readonly endpoint: Endpoint;
}

/** A domain systemd-resolved routes or searches. */
export interface ResolvedDomain {
  readonly ifindex: number;
  readonly domain: string;
  readonly isRouteOnly: boolean;
}

const AF_INET = 2;
const AF_INET6 = 10;
const DNS_PORT = 53;

/** Says what `applyResolved` does, line by line. */
export function planResolved(request: OsDnsRequest): string[] {
  return settingsOf(request).map((setting) => setting.line);
}

/**
 * Programs our link. The switches go first and the domains last, so that a zone is never routed to a link
 * that is half set up.
 *
 * @throws OsError `resolved-refused`, `resolved-too-old`
 */
export async function applyResolved(bus: Dbus, request: OsDnsRequest): Promise<void> {
  for (const setting of settingsOf(request)) {
    if (setting.member === "SetLinkDomains") await forgetStale(bus, setting, request);
    await set(bus, setting, request);
  }
}

/** Takes back the zones that go before others come: systemd-resolved counts both against its limit of 256. */
async function forgetStale(bus: Dbus, setting: Setting, request: OsDnsRequest): Promise<void> {
  const { ifindex, zones } = request;
  const domains = await resolvedDomains(bus).catch(() => []);
  const ours = new Set(domains.filter((row) => row.ifindex === ifindex).map((row) => row.domain));
  const stay = zones.filter((zone) => ours.has(zone));
  if (stay.length === ours.size) return;
  await set(bus, { ...setting, body: [ifindex, stay.map((zone) => [zone, true])] }, request);
}

/** Forgets everything set on a link; a link that is gone is fine. */
export async function revertResolved(bus: Dbus, ifindex: number): Promise<void> {
  for (const manager of [RESOLVED, NETWORKD]) {
    const member = manager === RESOLVED ? "RevertLink" : "RevertLinkDNS";
    try {
      await bus.call({ ...manager, member, signature: "i", body: [ifindex] });
      return;
    } catch (error) {
      if (!(error instanceof DbusError)) throw error;
      if (!error.errorName.endsWith(".LinkBusy")) return; // no such link, or nobody there: nothing is set
    }
  }
}

/** Reads the resolvers in force, ours among them. */
export async function resolvedServers(bus: Dbus): Promise<ResolvedServer[]> {
  try {
    return serversOf(await bus.property({ ...RESOLVED, property: "DNSEx" }), 4);
  } catch (error) {
    if (!(error instanceof DbusError) || !error.isUnknown) throw error;
    return serversOf(await bus.property({ ...RESOLVED, property: "DNS" }), 3);
  }
}

/** Reads the resolvers that are asked when no others are known. */
export async function resolvedFallbacks(bus: Dbus): Promise<ResolvedServer[]> {
  try {
    return serversOf(await bus.property({ ...RESOLVED, property: "FallbackDNSEx" }), 4);
  } catch (error) {
    if (!(error instanceof DbusError)) throw error;
    return []; // before systemd 246 it cannot be asked
  }
}

/** Reads every link's domains. */
export async function resolvedDomains(bus: Dbus): Promise<ResolvedDomain[]> {
  const rows = await bus.property({ ...RESOLVED, property: "Domains" });
  if (!isRows(rows, 3)) return [];
  return rows.map(([ifindex, domain, isRouteOnly]) => ({
    ifindex: Number(ifindex),
    domain: String(domain),
    isRouteOnly: isRouteOnly === true,
  }));
}

/**
 * Says whether names without a route of their own are sent to a link's servers.
 *
 * @returns `null` when the link cannot be asked
 */
export async function isDefaultRoute(bus: Dbus, ifindex: number): Promise<boolean | null> {
  try {
    const [path] = await bus.call({
      ...RESOLVED,
      member: "GetLink",
      signature: "i",
      body: [ifindex],
    });
    const value = await bus.property({
      destination: RESOLVED.destination,
      path: String(path),
      interface: "org.freedesktop.resolve1.Link",
      property: "DefaultRoute",
    });
    return value === true;
  } catch (error) {
    if (!(error instanceof DbusError)) throw error;
    return null;
  }
}

function settingsOf(request: OsDnsRequest): Setting[] {
  const { ifindex, link, server, zones } = request;
  const change = (
    member: string,
    signature: string,
    value: DbusValue,
    text: string,
    isOptional = true,
  ): Setting => ({
    member,
    signature: `i${signature}`,
    body: [ifindex, value],
    line: `resolve1 ${member} ${link} ${text}`,
    isOptional,
  });
  const row = [
    server.address.family === 4 ? AF_INET : AF_INET6,
    encodeIp(server.address),
    server.port,
    "",
  ];
  return [
    change("SetLinkLLMNR", "s", "no", "no"),
    change("SetLinkMulticastDNS", "s", "no", "no"),
    // Inherited "yes" would make our server unreachable, and names below signed parents bogus.
    change("SetLinkDNSOverTLS", "s", "no", "no"),
    change("SetLinkDNSSEC", "s", "no", "no"),
    change("SetLinkDefaultRoute", "b", false, "no"),
    change("SetLinkDNSEx", "a(iayqs)", [row], formatEndpoint(server), false),
    change(
      "SetLinkDomains",
      "a(sb)",
      zones.map((zone) => [zone, true]),
      zones.map((zone) => `~${zone}`).join(" "),
      false,
    ),
    {
      member: "FlushCaches",
      signature: "",
      body: [],
      line: "resolve1 FlushCaches",
      isOptional: true,
    },
  ];
}

async function set(bus: Dbus, setting: Setting, request: OsDnsRequest): Promise<void> {
  const { member, signature, body } = setting;
  try {
    await bus.call({ ...RESOLVED, member, signature, body });
  } catch (error) {
    if (!(error instanceof DbusError)) throw error;
    if (error.errorName.endsWith(".LinkBusy")) {
      // networkd manages our link (a catch-all .network file) and takes the same calls; resolvectl does so too.
      return await setThroughNetworkd(bus, setting, request);
    }
    if (error.isUnknown && member === "SetLinkDNSEx") return await setOldServers(bus, request);
    if (error.isUnknown && setting.isOptional) return;
    throw refused(request, setting, error);
  }
}

async function setThroughNetworkd(
  bus: Dbus,
  setting: Setting,
  request: OsDnsRequest,
): Promise<void> {
  const { member, signature, body } = setting;
  try {
    await bus.call({ ...NETWORKD, member, signature, body });
  } catch (error) {
    if (!(error instanceof DbusError)) throw error;
    if (error.isUnknown && setting.isOptional) return;
    throw refused(request, setting, error);
  }
}

/** Before systemd 246 a server has no port of its own. */
async function setOldServers(bus: Dbus, request: OsDnsRequest): Promise<void> {
  const { server, ifindex } = request;
  if (server.port !== DNS_PORT) {
    throw new OsError(
      "resolved-too-old",
      "Cannot use systemd-resolved: before version 246 it knows no port but 53",
      { call: "SetLinkDNSEx", errno: "ENOSYS", hint: "Use DNS mode direct" },
    );
  }
  const family = server.address.family === 4 ? AF_INET : AF_INET6;
  await bus.call({
    ...RESOLVED,
    member: "SetLinkDNS",
    signature: "ia(iay)",
    body: [ifindex, [[family, encodeIp(server.address)]]],
  });
}

function refused(request: OsDnsRequest, setting: Setting, cause: DbusError): OsError {
  const isDenied = /AccessDenied|InteractiveAuthorization/.test(cause.errorName);
  return new OsError(
    "resolved-refused",
    `Cannot set link "${request.link}" in systemd-resolved: ${cause.message}`,
    {
      call: setting.member,
      errno: isDenied ? "EPERM" : cause.isAbsent ? "ENOENT" : "EINVAL",
      hint: isDenied ? "Run as root" : "Try DNS mode direct",
      cause,
    },
  );
}

/** Reads a link's own list; its rows lack the ifindex. */
export function linkServersOf(rows: DbusValue): Endpoint[] {
  if (!isRows(rows, 2)) return [];
  return serversOf(rows.map((row) => [0, ...row]), 3).map(({ endpoint }) => endpoint);
}

/** Rows are (ifindex, family, address[, port, name]); without a port it is 53. */
function serversOf(rows: DbusValue, width: number): ResolvedServer[] {
  if (!isRows(rows, width)) return [];
  return rows.flatMap(([ifindex, _family, bytes, port]) => {
    const address = bytes instanceof Uint8Array ? decodeIp(bytes) : null;
    if (address === null) return [];
    const endpoint = { address, port: typeof port === "number" && port !== 0 ? port : DNS_PORT };
    return [{ ifindex: Number(ifindex), endpoint }];
  });
}
