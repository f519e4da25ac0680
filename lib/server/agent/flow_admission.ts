import type { AppConfig } from "../../config/mod.ts";
import type { FlowEvent } from "../../wire/mod.ts";
import {
  type AppClaims,
  decideFlow,
  type FlowDecision,
  type Principal,
  userHere,
} from "../../identity/mod.ts";
import {
  type CarrierHost,
  closeQuietly,
  type FlowSummary,
  type HostedFlow,
  type LiveFlow,
  randomHex,
} from "../../io/mod.ts";
import { DeadlinePassed, withDeadline } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import type { Open } from "../../wire/mod.ts";
import type { CompiledPolicy } from "./policy.ts";
import { refuse } from "./refuse.ts";
import { RefusedEvent } from "./report_batch.ts";
import { readConnectionRefusal } from "../../refusal/mod.ts";
import type { VnetError } from "../../error.ts";

const log = getLogger("server", "agent");

const DIAL_MS = 10_000;
const WATCH_MS = 1_000;

/** A client whose certificate was found good. */
interface Client {
  readonly principal: Principal;
  readonly claims: AppClaims;
  readonly certificateExpiresMs: number;
  /** Who the proxy says it is, as `address:port`. */
  readonly peer: string;
}

type Allowed = Extract<FlowDecision, { readonly kind: "allowed" }>;

/** A flow that runs, and what it was allowed by. */
interface Running {
  readonly client: Client;
  app: AppConfig;
  readonly port: number;
  readonly startedMs: number;
  readonly connectionId: string;
  allowed: Allowed;
  live: LiveFlow | null;
  /** When bytes last moved, and how many had by then. */
  movedMs: number;
  movedBytes: number;
  /** Why it was cut; `null` if nobody did. */
  cut: string | null;
}

/** Decides every flow, connects it to its app, has it recorded, and cuts it when it may not go on. */
export class FlowAdmission {
  readonly #agentId: () => string;
  readonly #appOf: (name: string) => AppConfig | null;
  readonly #policy: () => CompiledPolicy | null;
  readonly #report: (events: readonly FlowEvent[]) => Promise<void>;
  readonly #nowMs: () => number;
  readonly #running = new Set<Running>();
  readonly #reporting = new Set<Promise<void>>();
  #watch: ReturnType<typeof setInterval> | null = null;

  constructor(options: {
    readonly agentId: () => string;
    /** An app as it is described now; `null` if it is not served any more. */
    readonly appOf: (name: string) => AppConfig | null;
    /** `null` while it is not known. */
    readonly policy: () => CompiledPolicy | null;
    readonly report: (events: readonly FlowEvent[]) => Promise<void>;
    readonly nowMs: () => number;
  }) {
    this.#agentId = options.agentId;
    this.#appOf = options.appOf;
    this.#policy = options.policy;
    this.#report = options.report;
    this.#nowMs = options.nowMs;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Serves the carriers of one client to one app, as it is described when a flow is asked for. */
  hostFor(client: Client, name: string): CarrierHost {
    return {
      open: (open, signal) => {
        const app = this.#appOf(name);
        if (app === null) return Promise.reject(refuse("app-unknown", {}));
        return this.#open(client, app, open, signal);
      },
    };
  }

  /** Holds every flow against policy and apps again: whoever may not go on is cut. */
  review(): void {
    for (const running of this.#running) this.#review(running);
  }

  /** Cuts the flows of an app session that may not go on. New ones the cluster refuses when they are reported. */
  revoke(sessionId: string, reason: string): void {
    for (const running of this.#running) {
      if (running.client.claims.sessionId === sessionId) this.#cut(running, reason);
    }
  }

  /** Waits until everything that was begun is recorded. */
  async close(): Promise<void> {
    for (const running of this.#running) this.#cut(running, "draining");
    await Promise.allSettled(this.#reporting);
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }

  async #open(
    client: Client,
    app: AppConfig,
    open: Open,
    signal: AbortSignal,
  ): Promise<HostedFlow> {
    const decision = this.#decide(client, app, open.port);
    if (decision.kind === "refused") {
      log.info("Refused a flow", { app: app.name, code: decision.code });
      throw refuse(decision.code, { state: decision.message });
    }
    const conn = await dialTarget(app, open.port, signal);
    const startedMs = this.#nowMs();
    const running: Running = {
      client,
      app,
      port: open.port,
      startedMs,
      connectionId: randomHex(8),
      allowed: decision,
      live: null,
      movedMs: startedMs,
      movedBytes: 0,
      cut: null,
    };
    // Before it is reported, so that whoever is shut out while the cluster answers is cut too
    this.#running.add(running);
    this.#watch ??= setInterval(() => this.#watchAll(), WATCH_MS);
    try {
      await this.#report([{ ...this.#event(running), event: "app.session.start" }]);
    } catch (cause) {
      closeQuietly(conn);
      this.#forget(running);
      if (cause instanceof RefusedEvent) throw this.#refused(app, cause);
      log.error("Cannot record the start of a session", { error: String(cause) });
      throw refuse("audit-failed", { cause });
    }
    // Policy and app may have changed while the target and the audit log answered.
    this.#review(running);
    return {
      conn,
      started: (live) => {
        running.live = live;
        if (running.cut !== null) live.abort(running.cut);
      },
      ended: (summary) => this.#end(running, summary),
    };
  }

  /** A certificate was to be good when the flow was asked for; what its end means, the role says. */
  #review(running: Running): void {
    const app = this.#appOf(running.app.name);
    if (app === null) return this.#cut(running, "app-unknown");
    running.app = app;
    const client = { ...running.client, certificateExpiresMs: Infinity };
    const decision = this.#decide(client, app, running.port);
    if (decision.kind === "allowed") running.allowed = decision;
    else this.#cut(running, decision.code);
  }

  /** What is true now, the cluster knows better: a role may be lost that the certificate still has. */
  #refused(app: AppConfig, { refusal: { code: told, message } }: RefusedEvent): VnetError {
    const code = readConnectionRefusal(told) ?? "right-unknown";
    log.info("The cluster refused a flow", { app: app.name, code });
    return refuse(code, { state: message });
  }

  #decide(client: Client, app: AppConfig, port: number): FlowDecision {
    const policy = this.#policy();
    if (policy === null) {
      return { kind: "refused", code: "no-agent", message: "The agent has no policy yet" };
    }
    return decideFlow({ ...client, app: app.name, port }, {
      ...policy,
      agentId: this.#agentId(),
      app: { name: app.name, labels: app.labels, tcpPorts: app.tcpPorts },
    }, this.#nowMs());
  }

  #event(running: Running): Omit<FlowEvent, "event"> {
    const { client, app } = running;
    const { claims: { cluster: here } } = client; // that of the app, which is ours
    return {
      session_id: client.claims.sessionId,
      connection_id: running.connectionId,
      user: userHere(client.principal, here),
      app: app.name,
      port: running.port,
      peer: client.peer,
    };
  }

  #end(running: Running, summary: FlowSummary): void {
    this.#forget(running);
    const reporting = this.#report([{
      ...this.#event(running),
      event: "app.session.end",
      // as the client sees it
      sent_bytes: summary.receivedBytes,
      received_bytes: summary.sentBytes,
      duration_ms: Math.max(0, this.#nowMs() - running.startedMs),
      reason: running.cut ?? summary.reason,
    }]).catch((error) => {
      log.error("Cannot record the end of a session", { error: String(error) });
    }).finally(() => this.#reporting.delete(reporting));
    this.#reporting.add(reporting);
  }

  #forget(running: Running): void {
    this.#running.delete(running);
    if (this.#running.size > 0 || this.#watch === null) return;
    clearInterval(this.#watch);
    this.#watch = null;
  }

  #watchAll(): void {
    const nowMs = this.#nowMs();
    for (const running of this.#running) {
      const { allowed, client, live } = running;
      const endsMs = client.claims.grounds?.loginExpiresMs ?? client.certificateExpiresMs;
      if (allowed.disconnectExpired && nowMs >= endsMs) {
        this.#cut(running, "certificate-expired");
        continue;
      }
      const movedBytes = live === null ? 0 : live.sentBytes + live.receivedBytes;
      if (movedBytes !== running.movedBytes) {
        running.movedBytes = movedBytes;
        running.movedMs = nowMs;
      } else if (allowed.clientIdleMs !== null && nowMs - running.movedMs >= allowed.clientIdleMs) {
        this.#cut(running, "client-idle");
      }
    }
  }

  #cut(running: Running, code: string): void {
    if (running.cut !== null) return;
    running.cut = code;
    log.info("Cut a flow", { app: running.app.name, code });
    running.live?.abort(code);
  }
}

/** @throws {VnetError} `target-refused`, `target-timeout`, `target-unreachable`. */
async function dialTarget(
  app: AppConfig,
  port: number,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  try {
    const conn = await withDeadline(
      DIAL_MS,
      signal,
      (signal) =>
        Deno.connect({ hostname: app.target.host, port: app.target.port ?? port, signal }),
    );
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
    return conn;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof Deno.errors.ConnectionRefused) {
      throw refuse("target-refused", { cause });
    }
    if (cause instanceof DeadlinePassed || cause instanceof Deno.errors.TimedOut) {
      throw refuse("target-timeout", { cause });
    }
    log.info("Cannot reach an app", { app: app.name, error: String(cause) });
    throw refuse("target-unreachable", { cause });
  }
}
