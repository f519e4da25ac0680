/**
 * The whole client in memory: a daemon on a cluster, a machine and a helper that are none of them real. No root, no
 * network, no TLS.
 *
 * @module
 */
import { deepEqual } from "node:assert/strict";
import { type Profile, ProfileStore } from "../../lib/client/cluster/profile.ts";
import { Daemon } from "../../lib/client/daemon/daemon.ts";
import type { DaemonOptions } from "../../lib/client/daemon/options.ts";
import { DEFAULT_UP_SETTINGS } from "../../lib/config/mod.ts";
import {
  decodeMessage,
  encodeQuestion,
  formatRcode,
  questionOf,
  RR_TYPE,
} from "../../lib/dns/mod.ts";
import { decodeIp, formatIp, parseEndpoint, parseIp } from "../../lib/ip/mod.ts";
import type { AppView } from "../../lib/plan/mod.ts";
import { MemoryHelper } from "./helper.ts";
import { type Connected, MemoryMachine } from "./machine.ts";
import { memoryApp, MemoryCluster } from "./memory_cluster.ts";

/** Whose daemon it is. */
export const UID = 1000;
/** Somebody else. */
export const STRANGER = 1001;
export const DB = memoryApp("db", { ports: [{ first: 5432, last: 5432 }] });
export const WEB = memoryApp("web");

export interface Started {
  readonly daemon: Daemon;
  readonly cluster: MemoryCluster;
  readonly machine: MemoryMachine;
  readonly helper: MemoryHelper;
  readonly clock: { nowMs: number };
  readonly options: DaemonOptions;
  readonly running: Promise<void>;
  /** Asks the DNS server. @returns The addresses, or the reply's code */
  readonly ask: (name: string) => Promise<string>;
  /** Connects as a program does, by name. */
  readonly connect: (name: string, port: number, uid?: number) => Promise<Connected>;
  /** The same by an address that the program asked for before. */
  readonly connectTo: (address: string, port: number, uid?: number) => Promise<Connected>;
}

export interface Wishes {
  readonly apps?: readonly AppView[];
  /** The zones that the cluster asks for beside its own. */
  readonly zones?: readonly string[];
  /** Another cluster, which must be of another kind; logged in to as well. */
  readonly other?: MemoryCluster;
  readonly profiles?: (cluster: MemoryCluster) => readonly Profile[];
  readonly options?: Partial<DaemonOptions>;
  readonly before?: (started: Omit<Started, "daemon" | "running">) => void | Promise<void>;
}

/** Starts a daemon, and ends it after the test with nothing left open. */
export async function withDaemon(
  wishes: Wishes,
  test: (started: Started) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  const nowMs = () => clock.nowMs;
  const zones = (wishes.zones ?? []).map((suffix) => ({ suffix, isPrivate: false }));
  const cluster = new MemoryCluster({
    nowMs,
    apps: wishes.apps ?? [DB, WEB],
    root: { zones },
  });
  const others = wishes.other === undefined ? [] : [wishes.other];
  const machine = new MemoryMachine();
  await using helper = new MemoryHelper(machine);
  helper.applies = { upstreams: [], search: [], warnings: [] }; // nobody beyond this process is asked
  const paths = {
    configDir: `${dir}/config`,
    stateDir: dir,
    runtimeDir: dir,
    controlSocket: `${dir}/control.sock`,
    appSocket: `${dir}/apps.sock`,
  };
  const store = new ProfileStore(paths.configDir);
  for (
    const profile of wishes.profiles?.(cluster) ?? [cluster, ...others].map((one) => one.profile())
  ) {
    await store.save(profile);
  }
  const stop = new AbortController();
  const options: DaemonOptions = {
    paths,
    policy: { ownerUid: UID, sharedWith: new Set(), containers: false },
    helper: helper.start(),
    waitForLogin: false,
    link: null,
    range: null,
    dnsMode: "auto",
    settings: DEFAULT_UP_SETTINGS,
    signal: stop.signal,
    nowMs,
    drivers: [cluster, ...others],
    askTxt: () => Promise.resolve({ kind: "failed", why: "Nobody is asked" }),
    machine,
    ...wishes.options,
  };
  const ask = async (name: string) => {
    const server = daemon.status().dns?.server;
    if (server === undefined) throw new Error("There is no DNS server");
    const query = encodeQuestion(questionOf(name, RR_TYPE.A), { id: 7, udpSizeBytes: 1232 });
    const reply = decodeMessage(await machine.sockets.ask(parseEndpoint(server), query));
    const addresses = reply?.answers.flatMap(({ rdata }) => decodeIp(rdata) ?? []).map(formatIp);
    return addresses?.join(" ") || formatRcode(reply?.rcode ?? -1);
  };
  const connectTo = (address: string, port: number, uid = UID) =>
    machine.path.connect({ address: parseIp(address), port }, { uid });
  const connect = async (name: string, port: number, uid = UID) =>
    await connectTo(await ask(name), port, uid);
  const parts = { cluster, machine, helper, clock, options, ask, connect, connectTo };
  await wishes.before?.(parts);
  const daemon = new Daemon(options);
  const running = daemon.run();
  running.catch(() => {}); // told to whoever awaits it
  try {
    if (!options.waitForLogin) await daemon.ready(AbortSignal.timeout(5_000));
    await test({ ...parts, daemon, running });
  } finally {
    stop.abort();
    await running.catch(() => {});
    await Deno.remove(dir, { recursive: true });
  }
  if (helper.asked.length === 0) return; // it never came to the helper
  await helper.ended;
  deepEqual(machine.sockets.descriptors.open, []);
}

/** Says something to an app. @returns Its next words */
export async function exchange(
  conn: Pick<Deno.Conn, "read" | "write">,
  words: string,
): Promise<string> {
  await conn.write(new TextEncoder().encode(words));
  const buffer = new Uint8Array(256);
  const count = await conn.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, count));
}

/** Waits for what the daemon does by itself. */
export async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!await what()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** The codes of what it has to say. */
export function codes(daemon: Daemon): string[] {
  return daemon.status().findings.map(({ code }) => code);
}
