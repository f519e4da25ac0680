/**
 * What is known of each connection to an app, while it lasts and for a while after, and what it adds up to. Bounded,
 * whoever connects however often: only what has ended leaves, and the sums stay.
 *
 * @module
 */
import { portAllowed } from "../../config/mod.ts";
import { type Endpoint, formatEndpoint } from "../../ip/mod.ts";
import type { SocketHolder } from "../../os/mod.ts";
import type { AppRef } from "../../plan/mod.ts";
import type { ConnectionsV1 } from "../../status/mod.ts";
import type { Flow, FlowSummary } from "../cluster/driver.ts";

/** Ended connections kept for one port of an app, and in all. */
const MAX_ENDED_EACH = 50;
const MAX_ENDED = 1000;
/** Apps that are summed up; the one that was longest without a connection leaves for the next. */
const MAX_APPS = 1000;
/** Ports of one app that are summed up each for itself; the others are one sum. */
const MAX_PORTS = 32;
/** Connections listed that have not ended. */
const MAX_LISTED_LIVE = 2000;
const MAX_MESSAGE = 500;

/** What a connection waits for that a person has to do. */
export type WaitsFor = "second-factor" | "login";

/** The app of a connection, as far as facts need it. */
export type FlowApp = Pick<AppRef, "profile" | "cluster" | "app" | "appId" | "ports">;

/** What is known of a connection from its first packet on. */
export interface FlowPlace {
  readonly app: FlowApp;
  readonly name: string;
  readonly port: number;
  /** By a packet to a virtual address, or by a local port or proxy of vnet's own. */
  readonly way: "device" | "local-port";
  readonly uid: number | null;
  /** The program's own end; `null` if it is none of the device's. */
  readonly local: Endpoint | null;
  /** The virtual address. */
  readonly address: Endpoint | null;
}

/** One connection. */
export interface FlowFact {
  readonly id: number;
  readonly place: FlowPlace;
  readonly sinceMs: number;
  state: "opening" | "open" | "done" | "failed";
  holder: SocketHolder | null;
  endedMs: number | null;
  /** What counts its bytes while it is open. */
  flow: Flow | null;
  sentBytes: number;
  receivedBytes: number;
  /** Why it ended, if not because both sides were done. */
  reason: string | null;
  error: { readonly code: string; readonly message: string } | null;
}

/** What the connections to one port of an app add up to. */
interface Sum {
  readonly app: FlowApp;
  readonly port: number | null;
  readonly live: Set<FlowFact>;
  /** In the order in which they ended. */
  readonly ended: Set<FlowFact>;
  opened: number;
  failed: number;
  cancelled: number;
  sentBytes: number;
  receivedBytes: number;
}

/** Keeps the facts of connections. */
export class FlowFacts {
  /** By app, the latest used last; by port, `null` for all that have no sum of their own. */
  readonly #apps = new Map<string, Map<number | null, Sum>>();
  /** Of every connection that is kept. */
  readonly #sums = new Map<FlowFact, Sum>();
  readonly #live = new Set<FlowFact>();
  /** In the order in which they ended. */
  readonly #ended = new Set<FlowFact>();
  #lastId = 0;

  begin(place: FlowPlace, sinceMs: number): FlowFact {
    const fact: FlowFact = {
      ...{ id: ++this.#lastId, place, sinceMs, state: "opening", holder: null, endedMs: null },
      ...{ flow: null, sentBytes: 0, receivedBytes: 0, reason: null, error: null },
    };
    const sum = this.#sumOf(place);
    sum.live.add(fact);
    this.#live.add(fact);
    this.#sums.set(fact, sum);
    return fact;
  }

  /** It is established: whatever ends it, it was a success. @param flow Counts its bytes. */
  opened(fact: FlowFact, flow: Flow): void {
    const sum = this.#sums.get(fact);
    if (sum === undefined || fact.state !== "opening") return;
    fact.state = "open";
    fact.flow = flow;
    sum.opened++;
  }

  /** It was open and has ended. @param summary `null` if nobody could say how. */
  ended(fact: FlowFact, summary: FlowSummary | null, atMs: number): void {
    if (fact.state !== "open") return;
    const { sentBytes, receivedBytes } = summary ?? carriedBy(fact);
    Object.assign(fact, { state: "done", sentBytes, receivedBytes });
    fact.reason = summary === null ? "broken" : summary.reason === "done" ? null : summary.reason;
    this.#end(fact, atMs);
  }

  /** Notes why one could not be opened, or why this side cut off one that was. */
  failed(fact: FlowFact, { code, message }: NonNullable<FlowFact["error"]>, atMs: number): void {
    fact.error = { code, message: message.slice(0, MAX_MESSAGE) };
    if (fact.state === "open") return this.ended(fact, null, atMs);
    const sum = this.#sums.get(fact);
    if (sum === undefined || fact.state !== "opening") return;
    fact.state = "failed";
    sum.failed++;
    this.#end(fact, atMs);
  }

  /** The program gave up before anything was open: no fault of the app, and nothing to keep. */
  cancelled(fact: FlowFact): void {
    const sum = this.#sums.get(fact);
    if (sum === undefined || fact.state !== "opening") return;
    sum.cancelled++;
    sum.live.delete(fact);
    this.#live.delete(fact);
    this.#sums.delete(fact);
  }

  /** The public form, newest first. @param waitsFor What somebody has to do before a connection can open. */
  render(
    waitsFor: (place: FlowPlace) => WaitsFor | null,
  ): Pick<ConnectionsV1, "apps" | "connections"> {
    const sums = [...this.#apps.values()].flatMap((ports) => [...ports.values()]);
    const shown = [...[...this.#live].slice(-MAX_LISTED_LIVE), ...this.#ended];
    return {
      apps: sums.map(renderSum).sort((a, b) =>
        compare(a.cluster, b.cluster) || compare(a.app, b.app) || (a.port ?? 0) - (b.port ?? 0)
      ),
      connections: shown.sort((a, b) => b.id - a.id).map((fact) => renderFact(fact, waitsFor)),
    };
  }

  #end(fact: FlowFact, atMs: number): void {
    const sum = this.#sums.get(fact);
    fact.endedMs = atMs;
    fact.flow = null;
    if (sum === undefined) return;
    sum.sentBytes += fact.sentBytes;
    sum.receivedBytes += fact.receivedBytes;
    sum.live.delete(fact);
    this.#live.delete(fact);
    sum.ended.add(fact);
    this.#ended.add(fact);
    if (sum.ended.size > MAX_ENDED_EACH) this.#forgetFirst(sum.ended);
    if (this.#ended.size > MAX_ENDED) this.#forgetFirst(this.#ended);
  }

  #forgetFirst(ended: ReadonlySet<FlowFact>): void {
    for (const fact of ended) {
      this.#sums.get(fact)?.ended.delete(fact);
      this.#sums.delete(fact);
      this.#ended.delete(fact);
      return;
    }
  }

  #sumOf(place: FlowPlace): Sum {
    const { app } = place;
    const key = `${app.profile} ${app.appId}`;
    const ports = this.#apps.get(key) ?? new Map<number | null, Sum>();
    this.#apps.delete(key);
    this.#apps.set(key, ports);
    const port = sumPortOf(place, ports);
    const sum = ports.get(port) ?? {
      ...{ app, port, live: new Set(), ended: new Set(), opened: 0, failed: 0, cancelled: 0 },
      ...{ sentBytes: 0, receivedBytes: 0 },
    };
    ports.set(port, sum);
    if (this.#apps.size > MAX_APPS) this.#dropIdle();
    return sum;
  }

  /** The app that was longest without a new connection, and has none. */
  #dropIdle(): void {
    for (const [key, ports] of this.#apps) {
      const sums = [...ports.values()];
      if (sums.some(({ live }) => live.size > 0)) continue;
      for (const { ended } of sums) while (ended.size > 0) this.#forgetFirst(ended);
      this.#apps.delete(key);
      return;
    }
  }
}

/** Which sum of its app a connection belongs to: that of its port, where there are several ports, and room. */
function sumPortOf({ app, port }: FlowPlace, sums: ReadonlyMap<number | null, Sum>): number | null {
  const [first, ...others] = app.ports ?? [];
  const hasOne = first !== undefined && others.length === 0 && first.first === first.last;
  if (hasOne || !portAllowed(app.ports, port)) return null;
  return sums.has(port) || sums.size < MAX_PORTS ? port : null;
}

function carriedBy({ flow }: FlowFact): { sentBytes: number; receivedBytes: number } {
  return { sentBytes: flow?.sentBytes ?? 0, receivedBytes: flow?.receivedBytes ?? 0 };
}

function renderSum(sum: Sum): ConnectionsV1["apps"][number] {
  const live = [...sum.live].map(carriedBy);
  const add = (more: keyof ReturnType<typeof carriedBy>) =>
    live.reduce((total, bytes) => total + bytes[more], sum[more]);
  return {
    cluster: sum.app.cluster,
    app: sum.app.app,
    ...(sum.port === null ? {} : { port: sum.port }),
    active: [...sum.live].filter(({ state }) => state === "open").length,
    opened_total: sum.opened,
    failed_total: sum.failed,
    cancelled_total: sum.cancelled,
    sent_bytes: add("sentBytes"),
    received_bytes: add("receivedBytes"),
  };
}

function renderFact(
  fact: FlowFact,
  waitsFor: (place: FlowPlace) => WaitsFor | null,
): ConnectionsV1["connections"][number] {
  const { place, holder, endedMs } = fact;
  const { local, address, uid } = place;
  const waits = fact.state === "opening" ? waitsFor(place) : null;
  const carried = fact.flow === null ? fact : carriedBy(fact);
  return {
    id: fact.id,
    ...{ cluster: place.app.cluster, app: place.app.app, name: place.name, port: place.port },
    ...{ way: place.way, state: waits === null ? fact.state : "waiting" },
    ...(waits === null ? {} : { waits_for: waits }),
    started: new Date(fact.sinceMs).toISOString(),
    ...(endedMs === null ? {} : { duration_ms: Math.max(0, endedMs - fact.sinceMs) }),
    ...{ sent_bytes: carried.sentBytes, received_bytes: carried.receivedBytes },
    ...(fact.reason === null ? {} : { reason: fact.reason }),
    ...(fact.error === null ? {} : { error: fact.error }),
    ...(uid === null ? {} : { uid }),
    ...(holder === null ? {} : { pid: holder.pid }),
    ...(holder?.program == null ? {} : { program: holder.program }),
    ...(local === null ? {} : { local: formatEndpoint(local) }),
    ...(address === null ? {} : { address: formatEndpoint(address) }),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
