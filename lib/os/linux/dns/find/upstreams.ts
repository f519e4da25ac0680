/**
 * Which of the resolvers found on a host may be forwarded to. Pure.
 *
 * @module
 */
import {
  contains,
  type Endpoint,
  equalEndpoint,
  formatEndpoint,
  type IpAddress,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  parseIp,
  parsePrefix,
} from "../../../../ip/mod.ts";
import type { Upstreams } from "../types.ts";

const DNS_PORT = 53;
/** Where every vnet listens that needs port 53; a stale copy of such an address is never a resolver. */
const OWN_BLOCK = parsePrefix("127.0.53.0/24");
const STUBS = [parseIp("127.0.0.53"), parseIp("127.0.0.54")];
const UPSTREAM_LIMIT = 16;

/** What was found, and what to make of it. */
export interface Found {
  /** Best first. */
  readonly candidates: readonly Endpoint[];
  readonly search: readonly string[];
  /** Our own server. */
  readonly server: Endpoint;
  /** systemd-resolved's stubs lead back to us, when it reads the resolv.conf we wrote. */
  readonly dropStubs: boolean;
  readonly warnings?: readonly string[];
}

/** Sorts out what may be asked; an empty list comes with a warning. */
export function upstreamsOf(found: Found): Upstreams {
  const usable = found.candidates.filter((endpoint) => isUsable(endpoint, found));
  const byText = new Map(usable.map((endpoint) => [formatEndpoint(endpoint), endpoint]));
  const upstreams = [...byText.values()].slice(0, UPSTREAM_LIMIT);
  const none = "the host knows no resolver to forward to: names we do not own fail";
  return {
    upstreams,
    search: [...new Set(found.search)],
    warnings: [...found.warnings ?? [], ...upstreams.length === 0 ? [none] : []],
  };
}

/** An address of a nameserver line, which has no port of its own. */
export function nameserver(address: IpAddress): Endpoint {
  return { address, port: DNS_PORT };
}

/** Says whether an endpoint can only be a vnet's. */
export function isOwn(endpoint: Endpoint, server: Endpoint): boolean {
  return equalEndpoint(endpoint, server) ||
    (endpoint.port === DNS_PORT && contains(OWN_BLOCK, endpoint.address));
}

/** Says whether an address is one of systemd-resolved's stub listeners. */
export function isStub(address: IpAddress): boolean {
  return STUBS.some((stub) => equalEndpoint(nameserver(stub), nameserver(address)));
}

/** Says whether two findings lead to the same forwarding. */
export function sameUpstreams(a: Upstreams, b: Upstreams): boolean {
  const text = (found: Upstreams) =>
    JSON.stringify([found.upstreams.map(formatEndpoint), found.search, found.warnings]);
  return text(a) === text(b);
}

function isUsable(endpoint: Endpoint, found: Found): boolean {
  const { address } = endpoint;
  if (isOwn(endpoint, found.server)) return false;
  if (found.dropStubs && isStub(address)) return false;
  // A link-local resolver is of no use without its link, which an endpoint does not carry.
  return !isUnspecified(address) && !isMulticast(address) && !isLinkLocal(address);
}
