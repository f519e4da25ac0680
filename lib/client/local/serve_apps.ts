/**
 * The daemon's end of the socket for apps, which only its owner can open.
 *
 * @module
 */
import { VnetError } from "../../error.ts";
import { closeQuietly } from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import { refusalError } from "../../refusal/mod.ts";
import { DeadlinePassed, orAborted, pause, withDeadline } from "../../wait.ts";
import type { FlowLog } from "../flows/flow_log.ts";
import type { AppOpener } from "./app_opener.ts";
import {
  type AppReply,
  type AppRequest,
  AppRequestSchema,
  hearLine,
  sayLine,
} from "./app_socket.ts";
import type { AppFacts } from "./app_way.ts";
import type { PrefixedConn } from "./prefixed_conn.ts";

const log = getLogger("client", "apps");

const MAX_CONNECTIONS = 1024;
const REQUEST_MS = 5_000;
/** With time for a second factor. */
const OPEN_MS = 70_000;
const ACCEPT_RETRY_MS = 100;

interface ServeAppsOptions {
  readonly path: string;
  readonly opener: AppOpener;
  readonly flowLog: FlowLog;
  readonly ownerUid: number;
  readonly nowMs: () => number;
  /** How long an app has to answer; with time for a second factor if not given. */
  readonly openMs?: number;
}

/** Serves connections to apps on a socket path, mode 0600, until it is closed. A stale socket file is replaced. */
export function serveApps(options: ServeAppsOptions): AsyncDisposable {
  const { path } = options;
  removeIfThere(path);
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  const closing = new AbortController();
  const running = acceptAll(listener, options, closing.signal);
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      closeQuietly(listener);
      await running;
      removeIfThere(path);
    },
  };
}

async function acceptAll(
  listener: Deno.Listener,
  options: ServeAppsOptions,
  signal: AbortSignal,
): Promise<void> {
  const serving = new Set<Promise<void>>();
  while (!signal.aborted) {
    try {
      const conn = await listener.accept();
      const work = serve(conn, serving.size < MAX_CONNECTIONS, options, signal)
        .catch((thrown) => log.debug("A connection to an app failed", { error: String(thrown) }))
        .finally(() => {
          closeQuietly(conn);
          serving.delete(work);
        });
      serving.add(work);
    } catch (thrown) {
      if (signal.aborted || thrown instanceof Deno.errors.BadResource) break;
      log.warning("Cannot accept a connection", { error: String(thrown) });
      await pause(ACCEPT_RETRY_MS, signal);
    }
  }
  await Promise.all(serving);
}

async function serve(
  conn: Deno.Conn,
  hasRoom: boolean,
  options: ServeAppsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { line, rest } = await withDeadline(
    REQUEST_MS,
    signal,
    (both) => orAborted(hearLine(conn, AppRequestSchema), both),
  );
  try {
    if (!hasRoom) {
      throw new VnetError("connections-full", "Cannot connect: too many connections are open", {
        hint: "Close some, or find the program that opens so many",
      });
    }
    if (line.open) return await carry(rest, line, options, signal);
    return await sayLine(conn, replyOf(options.opener.find(line)));
  } catch (thrown) {
    if (!(thrown instanceof VnetError)) throw thrown;
    const { code, message, hint } = thrown;
    await sayLine(conn, { error: { code, message, ...(hint === null ? {} : { hint }) } });
  }
}

async function carry(
  conn: PrefixedConn,
  { name, cluster, port, by }: AppRequest,
  { opener, flowLog, ownerUid, nowMs, openMs = OPEN_MS }: ServeAppsOptions,
  signal: AbortSignal,
): Promise<void> {
  const place = opener.place({ name, cluster }, port);
  const entry = flowLog.begin({
    ...{ app: place.app, name, port: place.port, way: "local-port", uid: ownerUid },
    ...{ local: null, address: null },
  }, nowMs());
  if (by !== undefined) flowLog.heldBy(entry, by);
  try {
    const opened = await withDeadline(openMs, signal, (both) => opener.dial(place, both))
      .catch((cause) => {
        if (!(cause instanceof DeadlinePassed)) throw cause;
        throw refusalError("setup-timeout", `Cannot connect to "${name}"`, { cause });
      });
    await sayLine(conn, { ...replyOf(opened), port: opened.port }).catch((thrown) => {
      opened.flow.abort();
      throw thrown;
    });
    flowLog.opened(entry, opened.flow);
    flowLog.ended(entry, await opened.flow.splice(conn, signal), nowMs());
  } catch (thrown) {
    if (entry.open) flowLog.ended(entry, null, nowMs());
    else if (thrown instanceof VnetError) {
      flowLog.refused(entry, { atMs: nowMs(), code: thrown.code, message: thrown.message });
    } else flowLog.cancelled(entry);
    throw thrown;
  }
}

function replyOf({ app, cluster, ports, httpHosts }: AppFacts): AppReply {
  return {
    app,
    cluster,
    ports: ports === null ? null : [...ports],
    http_hosts: httpHosts === null ? null : [...httpHosts],
  };
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
