/**
 * Whether a cluster's proxy answers, as `vnet doctor` asks.
 *
 * @module
 */
import { formatHttpProxy } from "../../../config/mod.ts";
import { VnetError } from "../../../error.ts";
import type { ProxyFacts } from "../../../health/mod.ts";
import { dialServer, HeadCutOff, readHead } from "../../../io/mod.ts";
import { formatHostPort } from "../../../ip/mod.ts";
import { refusalError } from "../../../refusal/mod.ts";
import { DeadlinePassed, withDeadline } from "../../../wait.ts";
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
      const message = `Cannot reach "${
        formatHostPort(login.proxy)
      }": no answer within ${REACH_MS} ms`;
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
  const name = formatHostPort(login.proxy);
  const socket = await dialServer(
    { ...serverOf(login, means), identity: null },
    ["http/1.1"],
    signal,
  );
  socket.on("error", () => {}); // shows as the end
  try {
    socket.write(`GET /webapi/ping HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    return (await readHead(socket, MAX_HEAD_BYTES, signal)).head;
  } catch (thrown) {
    if (!(thrown instanceof HeadCutOff)) throw thrown;
    if (thrown.why === "too-long") return thrown.head; // it does answer
    throw refusalError("proxy-closed", `Cannot reach "${name}"`, { cause: thrown });
  } finally {
    socket.destroy();
  }
}
