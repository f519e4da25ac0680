/**
 * A daemon that is nothing but its control API: it tells a status and settings, and ends when it is asked to.
 *
 * @module
 */
import { type ControlTarget, serveControl } from "../../lib/client/control/server.ts";
import { Questions } from "../../lib/client/logins/questions.ts";
import { DEFAULT_UP_SETTINGS, type UpSettings } from "../../lib/config/mod.ts";
import type { ZoneRequest } from "../../lib/client/zones/decide.ts";
import type { AppsV1, ConnectionsV1, StatusV1, ZonesV1 } from "../../lib/status/mod.ts";

/** No process has it. */
const PID = 4_194_304 + 1;

export class ControlDaemon implements AsyncDisposable {
  readonly socket: string;
  /** How it was asked to end, in order. */
  readonly downs: ("end" | "restart")[] = [];
  state: StatusV1["state"] = "ready";
  apps: AppsV1["apps"] = [];
  connections: Omit<ConnectionsV1, "schema"> = { apps: [], connections: [] };
  zones: ZonesV1["zones"] = [];
  /** What was decided about zones, in order. */
  readonly decided: ZoneRequest[] = [];
  settings: UpSettings = DEFAULT_UP_SETTINGS;
  readonly questions = new Questions(Date.now);
  #server: Deno.HttpServer | null = null;
  #closing: Promise<void> | null = null;

  private constructor(socket: string) {
    this.socket = socket;
  }

  /** Serves at `run/control.sock` of a home. */
  static async open(home: string): Promise<ControlDaemon> {
    await Deno.mkdir(`${home}/run`, { recursive: true });
    const daemon = new ControlDaemon(`${home}/run/control.sock`);
    daemon.#server = await serveControl(daemon.socket, daemon.#target());
    return daemon;
  }

  status(): StatusV1 {
    return {
      schema: "vnet.status/1",
      state: this.state,
      version: "0.0.0",
      pid: PID,
      uid: Deno.uid() ?? 0,
      started: "2026-01-31T12:00:00Z",
      uptime_ms: 0,
      profiles: [],
      apps_total: 0,
      connections: {
        active: 0,
        opened_total: 0,
        refused_total: 0,
        sent_bytes: 0,
        received_bytes: 0,
        flows: [],
        recent_failures: [],
      },
      findings: [],
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#server?.shutdown() ?? Promise.resolve();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #zones(): ZonesV1 {
    const { zones } = this;
    return { schema: "vnet.zones/1", zones, decisions: [], findings: [], source: "daemon" };
  }

  #target(): ControlTarget {
    return {
      status: () => this.status(),
      settings: () => this.settings,
      ready: () => Promise.resolve(),
      connections: () => ({ schema: "vnet.connections/1", ...this.connections }),
      apps: () => ({ schema: "vnet.apps/1", apps: [...this.apps] }),
      resolve: () => {
        throw new TypeError("Nobody resolves here");
      },
      zones: () => this.#zones(),
      decideZone: (request) => {
        this.decided.push(request);
        return Promise.resolve(this.#zones());
      },
      decideRange: () => Promise.resolve(),
      refresh: () => Promise.resolve(),
      questions: this.questions,
      logInAgain: () => Promise.reject(new TypeError("Nobody logs in here")),
      down: (restart) => {
        this.downs.push(restart ? "restart" : "end");
        void this.close();
      },
    };
  }
}
