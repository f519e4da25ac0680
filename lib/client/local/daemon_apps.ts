/**
 * Apps by the running daemon: its logins, its certificates, its carriers.
 *
 * @module
 */
import { NetworkError, VnetError } from "../../error.ts";
import { closeQuietly, relay } from "../../io/mod.ts";
import type { AppWish } from "../../plan/mod.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../wait.ts";
import type { Flow, FlowConn, FlowSummary } from "../cluster/driver.ts";
import { type AppReply, AppReplySchema, type AppRequest, hearLine, sayLine } from "./app_socket.ts";
import type { AppFacts, AppWay, OpenedApp } from "./app_way.ts";
import type { PrefixedConn } from "./prefixed_conn.ts";

/** Longer than the daemon waits for the cluster, and for a second factor. */
const REPLY_MS = 75_000;

type Told = Exclude<AppReply, { readonly error: unknown }>;

/** The apps of the daemon that listens on a socket. */
export class DaemonApps implements AppWay {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async find({ name, cluster }: AppWish, signal: AbortSignal): Promise<AppFacts> {
    const { told, rest } = await this.#ask({ name, cluster, port: null, open: false }, signal);
    rest.close();
    return factsOf(told);
  }

  async open(
    { name, cluster }: AppWish,
    port: number | null,
    signal: AbortSignal,
  ): Promise<OpenedApp> {
    const by = { pid: Deno.pid, program: Deno.execPath() };
    const { told, rest } = await this.#ask({ name, cluster, port, open: true, by }, signal);
    return { ...factsOf(told), port: told.port ?? port ?? 0, flow: new DaemonFlow(rest) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #ask(
    request: AppRequest,
    signal: AbortSignal,
  ): Promise<{ readonly told: Told; readonly rest: PrefixedConn }> {
    const conn = await this.#connect();
    try {
      const { line, rest } = await withDeadline(REPLY_MS, signal, (both) =>
        orAborted(
          sayLine(conn, request).then(() => hearLine(conn, AppReplySchema)),
          both,
        ));
      if (!("error" in line)) return { told: line, rest };
      const { code, message, hint } = line.error;
      throw new VnetError(code, message, hint === undefined ? {} : { hint });
    } catch (thrown) {
      closeQuietly(conn);
      if (!(thrown instanceof DeadlinePassed)) throw thrown;
      throw new NetworkError("daemon-stuck", "Cannot ask the daemon: it does not answer", {
        hint: "Run `sudo vnet restart`",
        cause: thrown,
      });
    }
  }

  async #connect(): Promise<Deno.Conn> {
    try {
      return await Deno.connect({ transport: "unix", path: this.#socketPath });
    } catch (thrown) {
      throw new VnetError("daemon-not-running", "Cannot reach the daemon: vnet is not up", {
        hint: "Run `sudo vnet up`",
        cause: thrown,
      });
    }
  }
}

function factsOf({ app, cluster, ports, http_hosts }: Told): AppFacts {
  return { app, cluster, ports, httpHosts: http_hosts };
}

/** A connection that the daemon carries. */
class DaemonFlow implements Flow {
  readonly #conn: FlowConn;

  constructor(conn: FlowConn) {
    this.#conn = conn;
  }

  async splice(conn: FlowConn, signal: AbortSignal): Promise<FlowSummary> {
    const { forwardBytes, backwardBytes } = await relay(conn, this.#conn, { signal });
    return { sentBytes: forwardBytes, receivedBytes: backwardBytes, reason: "done" };
  }

  abort(): void {
    closeQuietly(this.#conn);
  }
}
