/**
 * Names the program behind a connection into the link. Only root can look into other users' processes; so that
 * nobody learns more by it than whom they refuse, it is told only of connections to the link's own ranges.
 *
 * @module
 */
import type { HelperRequest } from "../wire/mod.ts";
import { contains, parseIp, type Prefix } from "../ip/mod.ts";
import type { RootSockets } from "../os/mod.ts";

/** The connecting program waits for its answer meanwhile. */
const SEARCH_MS = 150;

/** @returns The program's file, or `null` if it was not found in time. */
export async function programOf(
  sockets: Pick<RootSockets, "ownerOf" | "programOf">,
  request: Extract<HelperRequest, { op: "program" }>,
  link: { readonly ifindex: number; readonly routes: readonly Prefix[] },
): Promise<string | null> {
  const source = { address: parseIp(request.source.address), port: request.source.port };
  const { address, port } = request.destination;
  const destination = { address: parseIp(address), port };
  if (source.address.family !== destination.address.family) return null;
  if (!link.routes.some((prefix) => contains(prefix, destination.address))) return null;
  const owner = sockets.ownerOf({ source, destination, ifindex: link.ifindex });
  return owner === null ? null : await sockets.programOf(owner, AbortSignal.timeout(SEARCH_MS));
}
