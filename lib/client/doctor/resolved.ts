/**
 * The settings systemd-resolved has for vnet's link, asked for on the message bus.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import type { ResolvedLinkFacts } from "../../health/mod.ts";
import { linkIndex, linkName, loadShim, readResolvedLink } from "../../os/mod.ts";
import { Unmeasured } from "./measure.ts";

const BUS_TIMEOUT_MS = 1_500;

/** Reads the link's settings. No root is needed. @returns Why there are none, where systemd-resolved is to blame */
export async function findResolvedLink(
  link: string,
): Promise<ResolvedLinkFacts | "absent" | "silent"> {
  const shim = loadShim();
  const ifindex = linkIndex(shim, link);
  const found = await readResolvedLink({ ifindex, timeoutMs: BUS_TIMEOUT_MS }).catch((thrown) => {
    throw new Unmeasured(`systemd-resolved cannot be asked: ${describeError(thrown)}`);
  });
  if (typeof found === "string") return found;
  const { domains, ...settings } = found;
  return {
    ...settings,
    domains: domains.filter((row) => row.ifindex === ifindex)
      .map(({ domain, isRouteOnly }) => ({ name: domain, routeOnly: isRouteOnly })),
    elsewhere: domains.filter((row) => row.ifindex !== ifindex)
      .map((row) => ({ name: row.domain, link: nameOf(row.ifindex) })),
  };

  function nameOf(index: number): string {
    if (index === 0) return "resolved.conf";
    try {
      return linkName(shim, index);
    } catch {
      return `interface ${index}`; // it went away while we looked
    }
  }
}
