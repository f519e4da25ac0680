/**
 * What is known about the one name of `--name`.
 *
 * @module
 */
import type { PortRange } from "../../config/mod.ts";
import type { DaemonStatus, TargetFacts } from "../../health/mod.ts";
import { parseIp } from "../../ip/mod.ts";
import type { HostFacts } from "../../os/mod.ts";
import type { AppsV1 } from "../../status/mod.ts";
import { ControlClient } from "../control/client.ts";
import type { Paths } from "../paths.ts";
import { resolveName } from "../resolve.ts";
import type { Lookups } from "./ask.ts";
import type { KnownCluster } from "../cluster/known.ts";
import { type Meter, required, Unmeasured } from "./measure.ts";

/** A name a person wants to reach, with or without a port. */
export interface Target {
  readonly host: string;
  readonly port: number | null;
}

interface TargetOptions {
  readonly facts: Pick<HostFacts, "ways">;
  readonly target: Target;
  readonly lookups: Lookups;
  readonly paths: Paths;
  readonly status: DaemonStatus | null;
  readonly clusters: readonly KnownCluster[];
  readonly uid: number;
  readonly meter: Meter;
  readonly signal: AbortSignal;
}

/** Measures every step of the way to one name. */
export async function measureTarget(options: TargetOptions): Promise<TargetFacts> {
  const { facts, lookups, target: { host, port }, paths, meter, uid, signal } = options;
  const [verdict, system] = await Promise.all([
    meter.measure("name.verdict", () => judgeName(paths, host)),
    lookups.system(host, signal),
  ]);
  const app = await meter.measure("name.app", () => findApp(options, required(verdict).owner));
  const way = await meter.measure("name.way", async (signal) => {
    const [address] = required(verdict).addresses;
    if (address === undefined) throw new Unmeasured("there is no address to look for");
    const ways = await facts.ways([{ target: address, what: host }], { uid, signal });
    const [way] = required(ways);
    if (way === undefined) throw new Unmeasured("the kernel did not say");
    return way;
  });
  return { host, port, verdict, system, app, way };
}

async function judgeName(paths: Paths, host: string) {
  const found = await resolveName(paths, host, "A");
  const { verdict, rule, reason, addresses, source, app, claims = [] } = found;
  const owner = app === undefined ? null : {
    app: app.name,
    cluster: app.cluster,
    proxy: app.proxy,
    zone: app.zone,
    grant: app.grant,
  };
  return { kind: verdict, rule, reason, addresses: addresses.map(parseIp), source, owner, claims };
}

interface FoundApp {
  readonly name: string;
  readonly cluster: string;
  readonly ports: readonly PortRange[] | null;
}

/** Finds the app that has the name; others may say that it was theirs. */
async function findApp(
  { paths, status, clusters }: TargetOptions,
  owner: { readonly app: string; readonly cluster: string; readonly proxy: string } | null,
): Promise<FoundApp | null> {
  if (owner === null) return null;
  const isOwner = (app: { readonly name: string; readonly cluster: string }) =>
    app.name === owner.app && app.cluster === owner.cluster;
  if (status === null) {
    const app = clusters.find(({ name }) => name === owner.proxy)?.view?.apps.find(isOwner);
    return app === undefined ? null : { name: app.name, cluster: app.cluster, ports: app.ports };
  }
  using control = new ControlClient(paths.controlSocket);
  const { apps } = await control.apps();
  const app = apps.find((app) => app.proxy === owner.proxy && isOwner(app));
  return app === undefined
    ? null
    : { name: app.name, cluster: app.cluster, ports: parsePorts(app.ports) };
}

/** Reads ports as the public list of apps has them: `5432`, `8000-8010`. */
export function parsePorts(ports: AppsV1["apps"][number]["ports"]): readonly PortRange[] | null {
  if (ports === undefined) return null;
  return ports.map((text) => {
    const [first = NaN, last = first] = text.split("-").map(Number);
    return { first, last };
  });
}
