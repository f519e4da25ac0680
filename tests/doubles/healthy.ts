/**
 * A machine on which everything is well, for tests to break one thing of.
 *
 * @module
 */
import { type Endpoint, parseEndpoint, parseIp, parsePrefix } from "../../lib/ip/mod.ts";
import type { DaemonStatus, Facts, Measured, Outcome } from "../../lib/health/facts.ts";

export const PROXY = "vnet.example.com";
export const SELF = parseIp("100.64.0.1");
const SELF6 = parseIp("fd12:3456:789a::6440:1");
const SERVER: Endpoint = parseEndpoint("127.0.53.1:53");
const UPSTREAM: Endpoint = parseEndpoint("192.168.1.1:53");
const RANGE = parsePrefix("100.64.0.0/10");
const RANGE6 = parsePrefix("fd12:3456:789a::/64");
const NOW_MS = 1_800_000_000_000;
const OURS: Outcome = { kind: "addresses", addresses: [SELF] };

export const LINK_IFINDEX = 7;
export const OTHER_IFINDEX = 2;

export function known<T>(value: T): Measured<T> {
  return { kind: "measured", value };
}

export function unknown(reason: string): Measured<never> {
  return { kind: "unknown", reason };
}

/** What the daemon of that machine says. */
export const STATUS: DaemonStatus = {
  state: "ready",
  version: "1.2.3",
  pid: 4711,
  uid: 1000,
  uptimeMs: 11_520_000,
  link: { name: "vnet0", ipv4: SELF, ipv6: SELF6, ranges: [RANGE, RANGE6] },
  dns: {
    backend: "direct",
    why: ["resolv.conf is a plain file that programs read themselves"],
    server: SERVER,
    zones: ["company.test", PROXY],
    upstreams: [UPSTREAM],
  },
  sessions: [{ profile: PROXY, state: "active", error: null }],
  findings: [],
  access: { sharedWith: [], containers: "deny" },
  refusedOwners: [],
  refusals: [],
};

/** The facts of that machine, with vnet up. */
export const HEALTHY: Facts = {
  nowMs: NOW_MS,
  program: { version: "1.2.3", uid: 1000, owner: { uid: 1000, name: "alice" } },
  netAdmin: known(false),
  tunDevice: known(null),
  daemon: known({ kind: "running", status: STATUS }),
  processes: known({
    helpers: [4710],
    stoppedHelpers: [],
    guards: [4712],
    repairs: [],
    serviced: [],
  }),
  wanted: known({ source: "daemon", ranges: [RANGE, RANGE6], zones: ["company.test", PROXY] }),
  network: known({
    links: [
      { ifindex: 1, name: "lo", isUp: true, mtu: 65_536 },
      { ifindex: OTHER_IFINDEX, name: "eth0", isUp: true, mtu: 1500 },
      { ifindex: LINK_IFINDEX, name: "vnet0", isUp: true, mtu: 65_535 },
    ],
    addresses: [
      { address: parseIp("127.0.0.1"), prefixLength: 8, ifindex: 1 },
      { address: parseIp("192.168.1.5"), prefixLength: 24, ifindex: OTHER_IFINDEX },
      { address: SELF, prefixLength: 32, ifindex: LINK_IFINDEX },
      { address: SELF6, prefixLength: 128, ifindex: LINK_IFINDEX },
    ],
    routes: [
      route("0.0.0.0/0", OTHER_IFINDEX),
      route("192.168.1.0/24", OTHER_IFINDEX),
      route("100.64.0.0/10", LINK_IFINDEX),
      route("fd12:3456:789a::/64", LINK_IFINDEX),
      { ...route("192.168.1.255/32", OTHER_IFINDEX), table: 255, type: 3 },
    ],
  }),
  rangeWays: known([
    { target: parseIp("100.64.0.2"), what: "IPv4", link: "vnet0" },
    { target: parseIp("fd12:3456:789a::2"), what: "IPv6", link: "vnet0" },
  ]),
  outerWays: known([
    { target: UPSTREAM.address, what: "resolver", link: "eth0" },
    { target: parseIp("203.0.113.10"), what: PROXY, link: "eth0" },
  ]),
  connectionsInRange: unknown("vnet is up"),
  resolvConf: known({
    path: "/etc/resolv.conf",
    kind: "file",
    isOurs: true,
    owner: "vnet",
    nameservers: ["127.0.53.1"],
    modifiedMs: NOW_MS - 60_000,
  }),
  nssHosts: known([{ service: "files", actions: [] }, { service: "dns", actions: [] }]),
  dnsChoice: unknown("vnet is up"),
  journal: known({ path: "/var/lib/vnet/osdns.journal.json", hasEntry: true, isOwned: true }),
  resolvedLink: unknown("not the back end"),
  listener: known({ server: SERVER, udp: OURS, tcp: OURS }),
  upstreams: known([
    {
      server: "192.168.1.1:53",
      outcome: { kind: "addresses", addresses: [parseIp("203.0.113.10")] },
      elapsedMs: 12,
    },
  ]),
  zones: known(["company.test", PROXY].map((zone) => ({
    zone,
    probe: `vnet-diag-9f3c21.${zone}`,
    system: OURS,
    nameservers: [{ server: "127.0.53.1", outcome: OURS, elapsedMs: 1 }],
  }))),
  profileFiles: known([{ path: "/home/alice/p.json", mode: 0o600, uid: 1000 }]),
  profiles: known([
    { name: PROXY, cluster: "example", user: "alice", expiresMs: NOW_MS + 43_200_000 },
  ]),
  proxies: known([{
    profile: PROXY,
    addresses: { kind: "addresses", addresses: [parseIp("203.0.113.10")] },
    reached: { kind: "reached", elapsedMs: 34, clockAheadMs: 200 },
  }]),
  target: null,
};

/** A unicast route of the main table. */
export function route(prefix: string, ifindex: number) {
  return { prefix: parsePrefix(prefix), table: 254, type: 1, ifindex, metric: 0 };
}

/** The same machine with another word of the daemon's. */
export function withStatus(change: Partial<DaemonStatus>): Facts {
  return { ...HEALTHY, daemon: known({ kind: "running", status: { ...STATUS, ...change } }) };
}

/** The same machine after `vnet down`. */
export const DOWN: Facts = {
  ...HEALTHY,
  daemon: known({ kind: "down", crashed: false, lastError: null }),
  processes: known({ helpers: [], stoppedHelpers: [], guards: [], repairs: [], serviced: [] }),
  wanted: known({ source: "saved-state", ranges: [RANGE], zones: ["company.test", PROXY] }),
  network: known({
    links: [{ ifindex: OTHER_IFINDEX, name: "eth0", isUp: true, mtu: 1500 }],
    addresses: [{ address: parseIp("192.168.1.5"), prefixLength: 24, ifindex: OTHER_IFINDEX }],
    routes: [route("0.0.0.0/0", OTHER_IFINDEX), route("192.168.1.0/24", OTHER_IFINDEX)],
  }),
  rangeWays: known([{ target: parseIp("100.64.0.2"), what: "IPv4", link: "eth0" }]),
  outerWays: known([]),
  connectionsInRange: known([]),
  resolvConf: known({
    path: "/etc/resolv.conf",
    kind: "file",
    isOurs: false,
    owner: null,
    nameservers: ["192.168.1.1"],
    modifiedMs: NOW_MS - 86_400_000,
  }),
  dnsChoice: known({
    backend: "direct",
    why: ["resolv.conf is a plain file that programs read themselves"],
    warnings: [],
  }),
  journal: known({ path: "/var/lib/vnet/osdns.journal.json", hasEntry: false, isOwned: false }),
  listener: unknown("vnet is not up"),
  upstreams: unknown("vnet is not up"),
  zones: unknown("vnet is not up"),
};
