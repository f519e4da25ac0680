/**
 * The settings systemd-resolved has for one link, with the names of the others.
 *
 * @module
 */
import { describeError } from "../../../error.ts";
import type { Measured, ResolvedLinkFacts } from "../../../health/mod.ts";
import { readResolvedLink, type ResolvedLink } from "../dns/mod.ts";
import { linkIndex, linkName } from "../net/netlink.ts";
import { loadShim } from "../shim.ts";

const BUS_TIMEOUT_MS = 1_500;

/** Reads the link's settings. No root is needed. @throws OsError `link-unknown` */
export async function findResolvedLink(
  link: string,
): Promise<Measured<ResolvedLinkFacts | "absent" | "silent">> {
  const ifindex = linkIndex(loadShim(), link);
  try {
    const found = await readResolvedLink({ ifindex, timeoutMs: BUS_TIMEOUT_MS });
    const value = typeof found === "string" ? found : sortDomains(found, ifindex, nameOf);
    return { kind: "measured", value };
  } catch (thrown) {
    const reason = `systemd-resolved cannot be asked: ${describeError(thrown)}`;
    return { kind: "unknown", reason };
  }
}

/** Tells a link's own domains from everybody else's. */
export function sortDomains(
  { domains, ...settings }: ResolvedLink,
  own: number,
  nameOf: (ifindex: number) => string,
): ResolvedLinkFacts {
  return {
    ...settings,
    domains: domains.filter(({ ifindex }) => ifindex === own)
      .map(({ domain, isRouteOnly }) => ({ name: domain, routeOnly: isRouteOnly })),
    elsewhere: domains.filter(({ ifindex }) => ifindex !== own)
      .map(({ domain, ifindex }) => ({
        name: domain,
        link: ifindex === 0 ? "resolved.conf" : nameOf(ifindex),
      })),
  };
}

function nameOf(ifindex: number): string {
  try {
    return linkName(loadShim(), ifindex);
  } catch {
    return `interface ${ifindex}`; // it went away while we looked
  }
}
