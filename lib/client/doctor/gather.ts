/**
 * Measures everything the checks look at: what needs nothing first, then the rest all at once.
 *
 * @module
 */
import { peerAddress } from "../../cidr/mod.ts";
import type { DaemonStatus, DnsChoiceFacts, Facts, Measured, ZoneFacts } from "../../health/mod.ts";
import {
  type Endpoint,
  formatEndpoint,
  type IpAddress,
  parseIp,
  type Prefix,
} from "../../ip/mod.ts";
import type { ThisMachine } from "../../os/mod.ts";
import { VERSION } from "../../version.ts";
import type { Owner, Paths } from "../paths.ts";
import { type KnownCluster, readKnown } from "../cluster/known.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import { DRIVERS } from "../cluster/drivers.ts";
import { LOOKUPS, type Lookups } from "./ask.ts";
import { planned, profileFacts, readProfileFiles, tryProxy } from "./cluster.ts";
import { findDaemon, findProcesses } from "./daemon.ts";
import { type Attempt, Meter, required, Unmeasured } from "./measure.ts";
import { measureTarget, type Target } from "./target.ts";

/** A daemon that takes longer to say how it is does not answer. */
const STATUS_MS = 900;
const NOT_UP = "vnet is not up";
const UP = "vnet is up";

/** What there is to look at. */
type Seen = Pick<ThisMachine, "facts" | "resolver">;

interface GatherOptions {
  readonly machine: Seen;
  readonly paths: Paths;
  readonly owner: Owner;
  readonly journalDir: string;
  readonly target: Target | null;
  /** This program's if not given. */
  readonly drivers?: readonly ClusterDriver[];
  /** The real ones if not given. */
  readonly lookups?: Lookups;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** The facts, and what was tried to get them. */
interface Gathered {
  readonly facts: Facts;
  readonly attempts: readonly Attempt[];
}

/** What the second round needs to know from the first. */
interface Known {
  readonly options: GatherOptions;
  readonly lookups: Lookups;
  readonly meter: Meter;
  readonly status: DaemonStatus | null;
  readonly clusters: Measured<readonly KnownCluster[]>;
  readonly wanted: Facts["wanted"];
}

/** Measures within three seconds, whatever hangs. */
export async function gather(options: GatherOptions): Promise<Gathered> {
  const meter = new Meter(options.signal);
  const [daemon, clusters] = await Promise.all([
    meter.measure("daemon", () => findDaemon(options.paths), STATUS_MS),
    meter.measure("profiles", () => readKnown(options.paths)),
  ]);
  const found: Facts["daemon"] = daemon.kind === "unknown"
    ? { kind: "measured", value: { kind: "silent", reason: daemon.reason } }
    : daemon;
  const status = found.kind === "measured" && found.value.kind === "running"
    ? found.value.status
    : null;
  const wanted = await meter.measure(
    "wanted",
    () => readWanted(options, status, required(clusters)),
  );
  const { lookups = LOOKUPS } = options;
  const known: Known = { options, lookups, meter, status, clusters, wanted };
  const [machine, dns, cluster, target] = await Promise.all([
    measureMachine(known),
    measureDns(known),
    measureCluster(known),
    measureName(known),
  ]);
  const facts: Facts = {
    nowMs: options.nowMs(),
    program: { version: VERSION, uid: Deno.uid() ?? 0, owner: options.owner },
    daemon: found,
    wanted,
    ...machine,
    ...dns,
    ...cluster,
    target,
  };
  return { facts, attempts: meter.attempts };
}

async function readWanted(
  { paths, nowMs }: GatherOptions,
  status: DaemonStatus | null,
  clusters: readonly KnownCluster[],
) {
  if (status?.link != null && status.dns !== null) {
    const { ranges } = status.link;
    return { source: "daemon" as const, ranges, zones: status.dns.zones };
  }
  return { source: "saved-state" as const, ...await planned(clusters, paths, nowMs()) };
}

async function measureMachine({ options, meter, status, wanted }: Known) {
  const { owner, journalDir, paths, machine: { facts } } = options;
  const [netAdmin, tunDevice, processes, network, rangeWays, connectionsInRange, ...files] =
    await Promise.all([
      meter.measure("capabilities", async () => required(await facts.netAdmin())),
      meter.measure("tun", () => facts.tunDevice()),
      meter.measure("processes", () => findProcesses(facts, journalDir)),
      meter.measure("network", () => facts.network()),
      meter.measure("ways", async (signal) => {
        const targets = required(wanted).ranges.map(probeAddress);
        return required(await facts.ways(targets, { uid: owner.uid, signal }));
      }),
      meter.measure("connections", () => {
        if (status !== null) throw new Unmeasured(UP);
        return facts.connectionsIn(required(wanted).ranges);
      }),
      meter.measure("journal", () => facts.journal(journalDir)),
      meter.measure("profile files", () => readProfileFiles(paths.configDir)),
    ]);
  const [journal, profileFiles] = files;
  return {
    netAdmin,
    tunDevice,
    processes,
    network,
    rangeWays,
    connectionsInRange,
    journal,
    profileFiles,
  };
}

/** The second address of the range, or of its IPv6 twin: no program is ever given it. */
function probeAddress(range: Prefix): { readonly target: IpAddress; readonly what: string } {
  const target: IpAddress = range.address.family === 4
    ? peerAddress(range)
    : { family: 6, value: range.address.value + 2n };
  return { target, what: `IPv${target.family}` };
}

async function measureDns(known: Known) {
  const { options: { machine, journalDir }, meter, status } = known;
  const { facts } = machine;
  const resolvConf = await meter.measure("resolv.conf", () => facts.resolvConf());
  const nameservers = resolvConf.kind === "measured" ? resolvConf.value.nameservers : [];
  const [nssHosts, dnsChoice, resolvedLink, listener, upstreams, zones] = await Promise.all([
    meter.measure("nsswitch.conf", () => facts.nssHosts()),
    meter.measure("dns choice", () => chooseDns(status, machine, journalDir)),
    meter.measure("resolved", async () => {
      if (status?.link == null) throw new Unmeasured(NOT_UP);
      if (status.dns?.backend !== "resolved") throw new Unmeasured("not the back end");
      return required(await facts.resolvedLink(status.link.name));
    }),
    meter.measure("dns server", (signal) => askListener(known, signal)),
    meter.measure("upstreams", (signal) => askUpstreams(known, signal)),
    meter.measure("zones", (signal) => askZones(known, nameservers, signal)),
  ]);
  return { resolvConf, nssHosts, dnsChoice, resolvedLink, listener, upstreams, zones };
}

/** The back end this host would get; a daemon in force has its own word on that. */
async function chooseDns(
  status: DaemonStatus | null,
  { resolver }: Seen,
  journalDir: string,
): Promise<DnsChoiceFacts> {
  if (status !== null) throw new Unmeasured(UP);
  const { choice } = await resolver.preview({
    mode: "auto",
    link: "vnet0",
    server: (needsPort53) => ({ address: parseIp("127.0.53.1"), port: needsPort53 ? 53 : 5300 }),
    zones: [],
    guarded: false,
    journalDir,
  });
  return choice;
}

/** A name in a zone that vnet answers with its own address, and nobody else knows. */
function probeName(zone: string): string {
  return `vnet-diag-${crypto.getRandomValues(new Uint8Array(6)).toHex()}.${zone}`;
}

async function askListener({ status, lookups }: Known, signal: AbortSignal) {
  const [zone] = status?.dns?.zones ?? [];
  if (status?.dns == null) throw new Unmeasured(NOT_UP);
  if (zone === undefined) throw new Unmeasured("there is no zone to ask about");
  const { server } = status.dns;
  const [udp, tcp] = await Promise.all([
    lookups.server(server, probeName(zone), "udp", signal),
    lookups.server(server, probeName(zone), "tcp", signal),
  ]);
  return { server, udp, tcp };
}

/** Asks every upstream for the proxy's own name, which this machine asks for anyway. */
async function askUpstreams({ status, clusters, lookups }: Known, signal: AbortSignal) {
  if (status?.dns == null) throw new Unmeasured(NOT_UP);
  const [first] = required(clusters);
  const name = first?.profile.proxy.host ?? "";
  if (!/[a-z]/.test(name)) throw new Unmeasured("the proxy has no name to ask for");
  return await Promise.all(
    status.dns.upstreams.map((server) =>
      timed(lookups, { text: formatEndpoint(server), server, name }, signal)
    ),
  );
}

async function askZones(
  { status, lookups }: Known,
  nameservers: readonly string[],
  signal: AbortSignal,
): Promise<readonly ZoneFacts[]> {
  if (status?.dns == null) throw new Unmeasured(NOT_UP);
  return await Promise.all(status.dns.zones.map(async (zone) => {
    const probe = probeName(zone);
    const [system, ...answers] = await Promise.all([
      lookups.system(probe, signal),
      ...nameservers.flatMap((text) => {
        const server = readNameserver(text);
        return server === null ? [] : [timed(lookups, { text, server, name: probe }, signal)];
      }),
    ]);
    return { zone, probe, system, nameservers: answers };
  }));
}

async function timed(
  lookups: Lookups,
  { text, server, name }: {
    readonly text: string;
    readonly server: Endpoint;
    readonly name: string;
  },
  signal: AbortSignal,
) {
  const begin = performance.now();
  const outcome = await lookups.server(server, name, "udp", signal);
  return { server: text, outcome, elapsedMs: Math.round(performance.now() - begin) };
}

/** An address with a zone, such as `fe80::1%eth0`, is not one we can ask. */
function readNameserver(text: string): Endpoint | null {
  try {
    return { address: parseIp(text), port: 53 };
  } catch {
    return null;
  }
}

async function measureCluster({ options, lookups, meter, status, clusters }: Known) {
  const { drivers = DRIVERS, nowMs } = options;
  const profiles: Facts["profiles"] = clusters.kind === "measured"
    ? { kind: "measured", value: clusters.value.map(profileFacts) }
    : clusters;
  const proxies = await meter.measure(
    "proxies",
    (signal) =>
      Promise.all(
        required(clusters).map((one) => tryProxy(one, { drivers, lookups, nowMs }, signal)),
      ),
  );
  const { owner, machine: { facts } } = options;
  const outerWays = await meter.measure("outer ways", async (signal) => {
    const upstreams = (status?.dns?.upstreams ?? [])
      .map(({ address }) => ({ target: address, what: "resolver" }));
    const proxied = proxies.kind === "unknown" ? [] : proxies.value.flatMap((proxy) => {
      const [target] = proxy.addresses.kind === "addresses" ? proxy.addresses.addresses : [];
      return target === undefined ? [] : [{ target, what: proxy.profile }];
    });
    return required(
      await facts.ways([...upstreams, ...proxied], { uid: owner.uid, signal }),
    );
  }, 500);
  return { profiles, proxies, outerWays };
}

async function measureName(known: Known): Promise<Facts["target"]> {
  const { lookups } = known;
  const { options: { target, paths, owner, machine }, clusters, status, meter } = known;
  if (target === null) return null;
  return await meter.measure("name", (signal) =>
    measureTarget({
      lookups,
      facts: machine.facts,
      target,
      paths,
      status,
      clusters: clusters.kind === "measured" ? clusters.value : [],
      uid: owner.uid,
      meter,
      signal,
    }));
}
