import { type AppConfig, LockTargetSchema } from "../../config/mod.ts";
import { describeError } from "../../error.ts";
import { renewalDueMs } from "../../identity/mod.ts";
import {
  appId,
  type CarrierHost,
  dialTcp,
  serveCarrier,
  startTlsServer,
  type TlsSession,
  TlsStream,
} from "../../io/mod.ts";
import { pause, withDeadline } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import type { ConnectionRefusalCode } from "../../refusal/mod.ts";
import type { AgentMessage } from "../../wire/mod.ts";
import { APP_PROTOCOL, encodePreface } from "../../tunnel/mod.ts";
import { AppContexts } from "./app_contexts.ts";
import { ControlChannel, type Dial } from "./control_channel.ts";
import { helloOf } from "./hello.ts";
import { Line } from "./line.ts";
import { FlowAdmission } from "./flow_admission.ts";
import { type CompiledPolicy, compilePolicy, withLock } from "./policy.ts";
import { refuse } from "./refuse.ts";
import { ReportBatch } from "./report_batch.ts";
import { Complaint, retryDelayMs } from "./retry.ts";
import type { AgentCredentials, Uplink } from "./uplink.ts";

const log = getLogger("server", "agent");

const RENEW_CHECK_MS = 60_000;
const DATA_CHANNEL_MS = 10_000;
const MAX_CARRIERS = 8192;

interface AgentOptions {
  readonly uplink: Uplink;
  readonly apps: readonly AppConfig[];
  readonly nowMs: () => number;
}

/** How an agent is doing. */
export interface AgentState {
  readonly isConnected: boolean;
  readonly hasPolicy: boolean;
  /** How many it serves. */
  readonly apps: number;
  readonly flows: number;
  /** Connections of clients that flows run on, idle ones too. */
  readonly carriers: number;
  readonly certificateExpiresMs: number;
}

/** Serves the apps of a private network to one cluster: dials out, listens nowhere. */
export class Agent {
  readonly #uplink: Uplink;
  #hello: readonly AgentMessage[];
  readonly #nowMs: () => number;
  readonly #closing = new AbortController();
  readonly #flows: FlowAdmission;
  readonly #carriers = new Set<Promise<void>>();
  readonly #connected = Promise.withResolvers<void>();
  readonly #reports: ReportBatch;
  #credentials: AgentCredentials;
  #contexts: AppContexts;
  /** By app id. */
  #apps: ReadonlyMap<string, AppConfig>;
  #policy: CompiledPolicy | null = null;
  readonly #line = new Line(() => this.#connect(), () => this.#comeBack());
  /** Fires when the control channel is open again. */
  #back = new AbortController();
  #working: Promise<unknown> = Promise.resolve();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    options: AgentOptions,
    hello: readonly AgentMessage[],
    credentials: AgentCredentials,
  ) {
    this.#hello = hello;
    this.#uplink = options.uplink;
    this.#nowMs = options.nowMs;
    this.#credentials = credentials;
    this.#contexts = new AppContexts(credentials);
    this.#apps = byId(credentials, options.apps);
    this.#reports = new ReportBatch((events) =>
      this.#uplink.report(this.#credentials, events, this.#openChannel())
    );
    this.#flows = new FlowAdmission({
      agentId: () => this.#credentials.agentId,
      appOf: (name) => this.#apps.get(appId(credentials.clusterName, name)) ?? null,
      policy: () => this.#policy,
      report: (events) => this.#reports.report(events),
      nowMs: options.nowMs,
    });
  }

  /**
   * Gets a certificate, and begins to serve. A proxy that cannot be reached is tried again for as long as it takes.
   *
   * @throws {VnetError} when the cluster does not let the agent in; `apps-too-many`.
   */
  static async open(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
    const hello = helloOf(options.apps);
    const names = namesOf(options.apps);
    const agent = new Agent(options, hello, await options.uplink.enrol(names, signal));
    agent.#working = Promise.all([
      agent.#followPolicy(),
      agent.#line.run(agent.#closing.signal),
      agent.#keepCertified(),
    ]);
    return agent;
  }

  /**
   * Serves these apps from now on. Flows end to those that are none of them, or that their description does not allow
   * any more; the others go on.
   *
   * @throws {VnetError} `apps-too-many`, and what the cluster says to a certificate for them; nothing is different then.
   */
  async serve(apps: readonly AppConfig[], signal: AbortSignal): Promise<void> {
    const hello = helloOf(apps);
    const names = namesOf(apps);
    await this.#inTurn(async () => {
      const held = new Set([...this.#apps.values()].map(({ name }) => name));
      const credentials = names.length === held.size && names.every((name) => held.has(name))
        ? this.#credentials
        : await this.#uplink.renew(this.#credentials, names, signal);
      this.#hello = hello;
      this.#apps = byId(credentials, apps);
      this.#take(credentials);
      this.#flows.review();
    });
  }

  /** Resolves when a proxy has welcomed the agent for the first time. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** How it is doing. */
  get state(): AgentState {
    return {
      isConnected: this.#openChannel() !== null,
      hasPolicy: this.#policy !== null,
      apps: this.#apps.size,
      flows: this.#flows.size,
      carriers: this.#carriers.size,
      certificateExpiresMs: this.#credentials.notAfterMs,
    };
  }

  /** Ends its flows and its connections; what happened is recorded before. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("The agent is shutting down"));
    await this.#working;
    await Promise.allSettled(this.#carriers);
    await this.#flows.close();
    this.#line.close();
  }

  #openChannel(): ControlChannel | null {
    const { channel } = this.#line;
    return channel?.isOpen ? channel : null;
  }

  async #followPolicy(): Promise<void> {
    const { signal } = this.#closing;
    const complaint = new Complaint();
    let failed = 0;
    while (!signal.aborted) {
      try {
        const policy = await this.#uplink.nextPolicy(this.#credentials, signal);
        failed = 0;
        complaint.end();
        if (policy === null) continue;
        this.#policy = compilePolicy(policy);
        this.#flows.review();
      } catch (thrown) {
        if (signal.aborted) return;
        const retryMs = Math.round(retryDelayMs(failed++, Math.random()));
        const error = describeError(thrown);
        if (complaint.isNew(error)) {
          log.warning("Cannot learn the cluster's policy", { error, retryMs });
        }
        await pause(retryMs, AbortSignal.any([signal, this.#back.signal]));
      }
    }
  }

  /** The proxy is there again: whatever else failed meanwhile is worth a try. */
  #comeBack(): void {
    this.#connected.resolve();
    const back = this.#back;
    this.#back = new AbortController();
    back.abort();
  }

  #connect(): Promise<ControlChannel> {
    const settings = this.#uplink.proxy(this.#credentials);
    const channel: Promise<ControlChannel> = ControlChannel.open(settings, this.#hello, {
      dial: (request) =>
        void channel.then((channel) => this.#answerDial(request, channel), () => {}),
      lock: (target) => this.#lock(target),
      revoked: (sessionId, code) => this.#flows.revoke(sessionId, code),
    }, this.#closing.signal);
    return channel;
  }

  async #keepCertified(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const leftMs = renewalDueMs(this.#credentials) - this.#nowMs();
      if (leftMs > 0) {
        // A clock that jumps, or a machine that sleeps, is noticed within a minute.
        await pause(Math.min(leftMs, RENEW_CHECK_MS), signal);
        continue;
      }
      try {
        await this.#inTurn(async () => {
          const names = namesOf([...this.#apps.values()]);
          this.#take(await this.#uplink.renew(this.#credentials, names, signal));
        });
      } catch (thrown) {
        if (signal.aborted) return;
        log.warning("Cannot renew the certificate", { error: describeError(thrown) });
        await pause(RENEW_CHECK_MS, signal);
      }
    }
  }

  /** One after the other: what is certified last is what is served. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    const acting = this.#turn.then(act);
    this.#turn = acting.catch(() => {}); // told to whoever asked for it
    return acting;
  }

  #take(credentials: AgentCredentials): void {
    this.#credentials = credentials;
    this.#contexts = new AppContexts(credentials);
    this.#line.reopen();
  }

  #lock(target: unknown): void {
    const parsed = LockTargetSchema.safeParse(target);
    if (!parsed.success || this.#policy === null) return;
    this.#policy = withLock(this.#policy, parsed.data);
    this.#flows.review();
  }

  #answerDial(request: Dial, channel: ControlChannel): void {
    const fail = (code: ConnectionRefusalCode, message: string) =>
      channel.send({ type: "dial_failed", ticket: request.ticket, code, message });
    const app = this.#apps.get(request.app_id);
    if (app === undefined) return fail("app-unknown", "the agent does not serve this app");
    if (this.#carriers.size >= MAX_CARRIERS) {
      return fail("overloaded", "the agent has too much to do");
    }
    const carrying = this.#carry(request, app).catch((error) => {
      log.debug("A carrier failed", { app: app.name, error: describeError(error) });
      // Nobody waits any more, unless the data channel could not be opened
      fail("no-agent", "the agent cannot open a data channel");
    }).finally(() => this.#carriers.delete(carrying));
    this.#carriers.add(carrying);
  }

  async #carry(request: Dial, app: AppConfig): Promise<void> {
    const { signal } = this.#closing;
    const { server, dial = dialTcp } = this.#uplink.proxy(this.#credentials);
    const session = await withDeadline(DATA_CHANNEL_MS, signal, async (signal) => {
      const socket = await dial(server, signal);
      socket.write(encodePreface(request.ticket));
      const protocols = [APP_PROTOCOL];
      const context = this.#contexts.of(request.app_id);
      return await startTlsServer(socket, { context, protocols }, signal);
    });
    if (session.socket.alpnProtocol !== APP_PROTOCOL) return void session.socket.destroy();
    const host = this.#hostFor(session, app, request.peer);
    await serveCarrier(new TlsStream(session.socket), host, signal);
  }

  /** A client that may not come in is told so when it asks: a handshake cannot say why. */
  #hostFor(session: TlsSession, app: AppConfig, peer: string): CarrierHost {
    const [own] = session.peerChain;
    if (own === undefined) return refuseAll("certificate-missing", null);
    const client = this.#policy === null
      ? { kind: "bad" as const, code: "no-agent" as const, message: "the agent has no policy yet" }
      : this.#policy.clients.judge(own, this.#nowMs());
    if (client.kind === "bad") return refuseAll(client.code, client.message);
    const { principal, claims, certificate } = client;
    const certificateExpiresMs = certificate.validity.notAfterMs;
    return this.#flows.hostFor({ principal, claims, certificateExpiresMs, peer }, app.name);
  }
}

function namesOf(apps: readonly AppConfig[]): readonly string[] {
  return apps.map(({ name }) => name);
}

function byId(
  { clusterName }: AgentCredentials,
  apps: readonly AppConfig[],
): ReadonlyMap<string, AppConfig> {
  return new Map(apps.map((app) => [appId(clusterName, app.name), app]));
}

function refuseAll(code: ConnectionRefusalCode, message: string | null): CarrierHost {
  log.info("Refused a client", { code });
  return { open: () => Promise.reject(refuse(code, message === null ? {} : { state: message })) };
}
