/**
 * Whether a cluster's proxy answers, as `vnet doctor` asks.
 *
 * @module
 */
import { once } from "node:events";
import { formatHttpProxy } from "../../../config/mod.ts";
import { VnetError } from "../../../error.ts";
import type { ProxyFacts } from "../../../health/mod.ts";
import { dialServer } from "../../../io/mod.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../../wait.ts";
import { type Means, type OwnLogin, serverOf } from "./credentials.ts";

const MAX_HEAD_BYTES = 16 * 1024;
/** Less than a measurement may take, so that every proxy's silence can be told by itself. */
const REACH_MS = 1_500;

/** Asks the proxy for the time of day, over TLS that must be its own. */
export async function reachProxy(
  login: OwnLogin,
  means: Means,
  signal: AbortSignal,
): Promise<ProxyFacts["reached"]> {
  const reached = await tryToReach(login, means, signal);
  const way = wayOf(login);
  return way === null ? reached : { ...reached, way };
}

/** @returns `null` for a login that says nothing of it. */
function wayOf({ way, httpProxy }: OwnLogin): string | null {
  if (way !== null) return `${way} (when logging in)`;
  if (httpProxy === null) return null;
  return `through the HTTP proxy ${
    formatHttpProxy({ ...httpProxy, credentials: null })
  }, by the login`;
}

async function tryToReach(
  login: OwnLogin,
  means: Means,
  signal: AbortSignal,
): Promise<ProxyFacts["reached"]> {
  const begin = performance.now();
  try {
    const head = await withDeadline(REACH_MS, signal, (signal) => ping(login, means, signal));
    const [, date] = /^date:\s*(.+)$/im.exec(head) ?? [];
    const proxyMs = date === undefined ? NaN : Date.parse(date);
    return {
      kind: "reached",
      elapsedMs: Math.round(performance.now() - begin),
      // the header is cut to whole seconds
      clockAheadMs: Number.isNaN(proxyMs) ? null : means.nowMs() - proxyMs - 500,
    };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    if (thrown instanceof DeadlinePassed) {
      const { host, port } = login.proxy;
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
async function ping(
  login: OwnLogin,
  means: Means,
  signal: AbortSignal,
): Promise<string> {
  const { host, port } = login.proxy;
  const socket = await dialServer(
    { ...serverOf(login, means), identity: null },
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
