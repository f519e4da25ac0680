/**
 * Logins, what is known of their clusters, and whether their proxies answer.
 *
 * @module
 */
import { once } from "node:events";
import { compilePlan } from "../../plan/mod.ts";
import { VnetError } from "../../error.ts";
import type { FileFacts, ProfileFacts, ProxyFacts, WantedFacts } from "../../health/mod.ts";
import { DeadlinePassed, dialServer, orAborted, withDeadline } from "../../io/mod.ts";
import { formatPrefix } from "../../ip/mod.ts";
import { AddressBook } from "../state/address_book.ts";
import { serverOf } from "../cluster/own/api.ts";
import type { Paths } from "../paths.ts";
import { type Profile, profileName, ProfileStore } from "../cluster/profile.ts";
import { viewOf } from "../cluster/own/views.ts";
import { loadViews } from "../cluster/saved_views.ts";
import type { ClusterView } from "../cluster/session.ts";
import { askSystem } from "./ask.ts";
import { Unmeasured } from "./measure.ts";

const MAX_HEAD_BYTES = 16 * 1024;
/** Less than a measurement may take, so that every proxy's silence can be told by itself. */
const REACH_MS = 1_500;

/** A saved login with what was last known of its cluster. */
export interface KnownCluster {
  readonly profile: Profile;
  readonly name: string;
  readonly view: ClusterView | null;
}

/** Reads every saved login. @throws VnetError `profile-damaged` */
export async function readClusters(paths: Paths): Promise<readonly KnownCluster[]> {
  const views = await loadViews(paths.stateDir);
  return (await new ProfileStore(paths.configDir).list()).map((profile) => {
    const name = profileName(profile.proxy);
    return { profile, name, view: views.get(name) ?? null };
  });
}

/** What vnet would answer for when it came up, and where its ranges lay last. */
export async function planned(
  clusters: readonly KnownCluster[],
  stateDir: string,
): Promise<Pick<WantedFacts, "ranges" | "zones">> {
  const sources = clusters.flatMap(({ profile, name, view }) =>
    view === null
      ? []
      : [{ profile: name, proxyHost: profile.proxy.host, view: viewOf(view.config, view.apps) }]
  );
  const { ranges, zones } = compilePlan(sources, { range: null });
  if (ranges.length === 0) throw new Unmeasured("nothing is known of any cluster yet");
  const book = await AddressBook.open(stateDir, crypto.getRandomValues(new Uint8Array(21)));
  const placed = ranges.map((range) => book.places.get(formatPrefix(range)) ?? range);
  return { ranges: [...placed, book.prefix6], zones };
}

export function profileFacts({ profile, name }: KnownCluster): ProfileFacts {
  return {
    name,
    cluster: profile.cluster,
    user: profile.user,
    expiresMs: profile.expiresMs,
  };
}

/** Looks who may read the files with the keys. */
export async function readProfileFiles(configDir: string): Promise<readonly FileFacts[]> {
  const dir = `${configDir}/profiles`;
  const files: FileFacts[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(dir)) {
      if (!isFile || !name.endsWith(".json")) continue;
      const path = `${dir}/${name}`;
      const { mode, uid } = await Deno.lstat(path);
      files.push({ path, mode: (mode ?? 0) & 0o7777, uid: uid ?? 0 });
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Resolves a proxy's name and asks it for the time of day, over TLS that must be its own. */
export async function tryProxy(
  { profile, name }: KnownCluster,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<ProxyFacts> {
  const [addresses, reached] = await Promise.all([
    askSystem(profile.proxy.host, signal),
    reachProxy(profile, nowMs, signal),
  ]);
  return { profile: name, addresses, reached };
}

async function reachProxy(
  profile: Profile,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<ProxyFacts["reached"]> {
  const begin = performance.now();
  try {
    const head = await withDeadline(REACH_MS, signal, (signal) => ping(profile, signal));
    const [, date] = /^date:\s*(.+)$/im.exec(head) ?? [];
    const proxyMs = date === undefined ? NaN : Date.parse(date);
    return {
      kind: "reached",
      elapsedMs: Math.round(performance.now() - begin),
      // the header is cut to whole seconds
      clockAheadMs: Number.isNaN(proxyMs) ? null : nowMs() - proxyMs - 500,
    };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    if (thrown instanceof DeadlinePassed) {
      const { host, port } = profile.proxy;
      const message = `Cannot reach "${host}:${port}": no answer within ${REACH_MS} ms`;
      return { kind: "failed", code: "proxy-timeout", message };
    }
    const { code, message } = thrown instanceof VnetError
      ? thrown
      : { code: "proxy-closed", message: String(thrown) };
    return { kind: "failed", code, message };
  }
}

/** @returns The head of the answer to a question anybody may ask. */
async function ping(profile: Profile, signal: AbortSignal): Promise<string> {
  const { host, port } = profile.proxy;
  const socket = await dialServer(
    { ...serverOf(profile), identity: null },
    ["http/1.1"],
    signal,
  );
  try {
    socket.write(`GET /webapi/ping HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: close\r\n\r\n`);
    let head = "";
    while (!head.includes("\r\n\r\n") && head.length < MAX_HEAD_BYTES) {
      const [chunk] = await orAborted(once(socket, "data"), signal);
      head += new TextDecoder("latin1").decode(chunk);
    }
    return head;
  } finally {
    socket.on("error", () => {}); // nobody waits for it any more
    socket.destroy();
  }
}
