/**
 * What systemd-resolved has for one link, and who else claims what it claims. Needs no root.
 *
 * @module
 * @see org.freedesktop.resolve1(5), Link Object
 */
import type { Endpoint } from "../../../../ip/mod.ts";
import { Dbus } from "../../dbus/dbus.ts";
import { DbusError } from "../../dbus/error.ts";
import type { DbusValue } from "../../dbus/value.ts";
import { RESOLVED } from "../../dbus/names.ts";
import { SYSTEM_PATHS } from "../find/paths.ts";
import { linkServersOf, type ResolvedDomain, resolvedDomains } from "./resolved_settings.ts";

const LINK_INTERFACE = "org.freedesktop.resolve1.Link";

/** The settings of one link. */
export interface ResolvedLink {
  /** Its own, and those of all other links and the global ones (`ifindex` 0). */
  readonly domains: readonly ResolvedDomain[];
  readonly servers: readonly Endpoint[];
  /** `null`, here and below: this version does not know the switch. */
  readonly defaultRoute: boolean | null;
  readonly dnssec: string | null;
  readonly dnsOverTls: string | null;
}

interface ReadLinkOptions {
  readonly ifindex: number;
  readonly socket?: string;
  readonly timeoutMs: number;
}

/**
 * Reads a link's settings.
 *
 * @returns `absent` when systemd-resolved is not on the bus, `silent` when it does not answer in time
 * @throws OsError `dbus-unreachable`; DbusError when it does not know the link
 */
export async function readResolvedLink(
  options: ReadLinkOptions,
): Promise<ResolvedLink | "absent" | "silent"> {
  const { ifindex, timeoutMs, socket = SYSTEM_PATHS.busSocket } = options;
  await using bus = await Dbus.connect({ socket, timeoutMs });
  if (!await bus.hasOwner(RESOLVED.destination)) return "absent";
  try {
    return await readLink(bus, ifindex, timeoutMs);
  } catch (error) {
    if (error instanceof DbusError && error.errorName.endsWith(".NoReply")) return "silent";
    throw error;
  }
}

/** Reads a link's settings from a resolved that is there. @throws DbusError */
export async function readLink(
  bus: Dbus,
  ifindex: number,
  timeoutMs?: number,
): Promise<ResolvedLink> {
  const patience = timeoutMs === undefined ? {} : { timeoutMs };
  const [path] = await bus.call({
    ...{ ...RESOLVED, member: "GetLink", signature: "i", body: [ifindex] },
    ...patience,
  });
  const [found] = await bus.call({
    destination: RESOLVED.destination,
    path: String(path),
    interface: "org.freedesktop.DBus.Properties",
    member: "GetAll",
    signature: "s",
    body: [LINK_INTERFACE],
    ...patience,
  });
  const get = (name: string) => propertyOf(found, name);
  const text = (name: string) => {
    const value = get(name);
    return typeof value === "string" ? value : null;
  };
  const defaultRoute = get("DefaultRoute");
  return {
    domains: await resolvedDomains(bus),
    servers: linkServersOf(get("DNSEx") ?? get("DNS") ?? []),
    defaultRoute: typeof defaultRoute === "boolean" ? defaultRoute : null,
    dnssec: text("DNSSEC"),
    dnsOverTls: text("DNSOverTLS"),
  };
}

/** Takes one property out of an `a{sv}`. */
function propertyOf(properties: DbusValue | undefined, name: string): DbusValue | undefined {
  if (!(properties instanceof Map)) return undefined;
  const variant: DbusValue | undefined = properties.get(name);
  return typeof variant === "object" && "signature" in variant ? variant.value : undefined;
}
