/**
 * How a server or an agent is doing, for the machine it runs on: `/healthz`, `/readyz` and `/metrics` on a loopback
 * address.
 *
 * @module
 */
import { OsError } from "../../error.ts";
import { type Endpoint, formatEndpoint, formatIp } from "../../ip/mod.ts";
import { VERSION } from "../../version.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../wait.ts";
import { gauge, type Metric, renderMetrics } from "./metrics.ts";

/** What is asked of whoever is diagnosed. */
export interface Diagnosed {
  /** Why it cannot serve, each in a few words; empty when it can. */
  unready(signal: AbortSignal): Promise<readonly string[]>;
  metrics(signal: AbortSignal): Promise<readonly Metric[]>;
}

const ANSWER_MS = 5000;
const CLOSE_MS = 1000;

/**
 * Answers until it is closed.
 *
 * @throws {OsError} `listen-failed`.
 */
export function serveDiag(
  listen: Endpoint,
  diagnosed: Diagnosed,
  startedMs: number,
): { readonly address: Deno.NetAddr; close(): Promise<void> } {
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (!namesThisMachine(request.headers.get("host"))) {
      return text(421, "not a name of this machine");
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return text(405, "only GET and HEAD");
    }
    switch (pathname) {
      case "/healthz":
        return text(200, "ok");
      case "/readyz": {
        const reasons = await within(diagnosed.unready.bind(diagnosed), ["no answer in 5 s"]);
        return reasons.length === 0 ? text(200, "ok") : text(503, reasons.join("\n"));
      }
      case "/metrics": {
        const found = await within(diagnosed.metrics.bind(diagnosed), []);
        return text(
          200,
          renderMetrics([...processMetrics(startedMs), ...found]),
          "; version=0.0.4",
        );
      }
      default:
        return text(404, "/healthz, /readyz or /metrics");
    }
  };
  try {
    const server = Deno.serve({
      hostname: formatIp(listen.address),
      port: listen.port,
      onListen: () => {},
      onError: () => text(500, "failed"),
    }, answer);
    return { address: server.addr, close: () => closeSoon(server) };
  } catch (cause) {
    throw new OsError("listen-failed", `Cannot listen on ${formatEndpoint(listen)}: ${cause}`, {
      call: "listen",
      errno: (cause as { readonly code?: string }).code ?? "EIO",
      cause,
      hint: "Change `diag_addr`, or stop what has the port",
    });
  }
}

/** Whoever is slow to ask holds no stop up. */
async function closeSoon(server: Deno.HttpServer): Promise<void> {
  const closed = server.shutdown();
  await withDeadline(CLOSE_MS, null, (signal) => orAborted(closed, signal)).catch(() => {});
}

/** A page that has its own name lead to the loopback (DNS rebinding) is told nothing. */
function namesThisMachine(host: string | null): boolean {
  return host !== null && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/.test(host);
}

async function within<T>(ask: (signal: AbortSignal) => Promise<T>, late: T): Promise<T> {
  try {
    return await withDeadline(ANSWER_MS, null, ask);
  } catch (thrown) {
    if (thrown instanceof DeadlinePassed) return late;
    throw thrown;
  }
}

function processMetrics(startedMs: number): Metric[] {
  return [
    {
      name: "vnet_build_info",
      help: "The version that runs.",
      type: "gauge",
      label: "version",
      samples: [{ of: VERSION, value: 1 }],
    },
    gauge("process_resident_memory_bytes", "Resident memory.", Deno.memoryUsage().rss),
    gauge("process_start_time_seconds", "When it was started.", Math.floor(startedMs / 1000)),
  ];
}

function text(status: number, body: string, more = ""): Response {
  const end = body.endsWith("\n") ? "" : "\n";
  return new Response(`${body}${end}`, {
    status,
    headers: { "content-type": `text/plain${more}; charset=utf-8`, "cache-control": "no-store" },
  });
}
