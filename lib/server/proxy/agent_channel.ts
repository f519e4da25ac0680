import type { WebSocket } from "ws";
import { z } from "zod";
import { type LockTarget, MAX_AGENT_APPS } from "../../config/mod.ts";
import { AgentAppSchema, FlowEventSchema, type ForeignRight } from "../../wire/mod.ts";
import { readConnectionRefusal, refusalError } from "../../refusal/mod.ts";
import {
  type AgentMessage,
  AgentMessageSchema,
  CONTROL_PING_MISSES,
  CONTROL_PING_MS,
  decodeControl,
  HELLO_MAX_PARTS,
  type ProxyMessage,
} from "../../wire/mod.ts";
import { AuthError, VnetError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import type {
  AgentIdentity,
  AgentVerdict,
  Denial,
  LeafService,
  OfferRefusal,
  TicketHolder,
} from "../auth/mod.ts";
import type { DataChannel, Rendezvous } from "./rendezvous.ts";

const log = getLogger("server", "proxy");

const HELLO_MS = 10_000;
/** An agent says hello when it comes and when its apps change; each time, every app of the cluster is looked at. */
const MAX_HELLOS = 64;
const RENDEZVOUS_MS = 10_000;
/** How long an agent that is expelled may take to close its end. */
const GOODBYE_MS = 1_000;
/** @see RFC 6455 section 7.4.1 */
const POLICY_VIOLATION = 1008;
/** A channel whose agent reads nothing is cut before it holds more than this. */
const MAX_BUFFERED_BYTES = 1_048_576;
/** Refusals that an agent is told at a time, and letters of each reason: a message has room for them. */
const MAX_REFUSED = 1024;
const MAX_REASON = 512;

/** The proxy's end of one agent's control channel. */
export class AgentChannel {
  readonly instance = Symbol("agent");
  readonly #socket: WebSocket;
  readonly #agent: AgentIdentity;
  readonly #auth: Pick<LeafService, "agents" | "greet" | "reportFlow">;
  readonly #rightOf: (holder: TicketHolder) => ForeignRight;
  readonly #judge: () => Promise<AgentVerdict>;
  readonly #rendezvous: Rendezvous;
  readonly #mayGreet: () => boolean;
  readonly #onEnd: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  /** Data channels that the agent was asked for and has not opened. */
  readonly #asked = new Set<string>();
  #goodbyeTimer: ReturnType<typeof setTimeout> | undefined;
  #hellos = 0;
  /** Of a hello that takes several messages. */
  #apps: unknown[] = [];
  #parts = 0;
  #missed = 0;
  #isDraining = false;
  #ended = false;

  constructor(
    socket: WebSocket,
    of: {
      readonly agent: AgentIdentity;
      readonly auth: Pick<LeafService, "agents" | "greet" | "reportFlow">;
      /** What a leaf is told of whose connection it is. */
      readonly rightOf: (holder: TicketHolder) => ForeignRight;
      /** Whether the agent is still wanted: asked when it says hello. */
      readonly judge: () => Promise<AgentVerdict>;
      readonly rendezvous: Rendezvous;
      /** Whether one more hello is not too much. */
      readonly mayGreet: () => boolean;
      readonly onEnd: () => void;
    },
  ) {
    this.#socket = socket;
    this.#agent = of.agent;
    this.#auth = of.auth;
    this.#rightOf = of.rightOf;
    this.#judge = of.judge;
    this.#rendezvous = of.rendezvous;
    this.#mayGreet = of.mayGreet;
    this.#onEnd = of.onEnd;
    this.#timer = setInterval(() => this.#ping(), CONTROL_PING_MS);
    this.#helloTimer = setTimeout(() => this.close("no hello"), HELLO_MS);
    socket.on("message", (data, isBinary) => {
      const message = isBinary || this.#ended
        ? null
        : decodeControl(AgentMessageSchema, String(data));
      if (message !== null) this.#take(message);
    });
    socket.on("close", () => {
      clearTimeout(this.#goodbyeTimer);
      this.#end();
    });
    socket.on("error", (error) => {
      log.debug("Control channel failed", { agent: this.#agent.name, error: error.message });
      this.close("failed");
    });
  }

  get agentId(): string {
    return this.#agent.agentId;
  }

  get isLeaf(): boolean {
    return this.#agent.leaf !== undefined;
  }

  /** When the certificate ends that it was opened with. */
  get expiresMs(): number {
    return this.#agent.certificateExpiresMs;
  }

  /**
   * Has the agent open a data channel.
   *
   * @throws {DeadlinePassed} when it did not in time; the agent's refusal; whatever `signal` was aborted with.
   */
  async dial(
    holder: TicketHolder,
    peer: string,
    signal: AbortSignal,
  ): Promise<DataChannel> {
    let asked = "";
    const ask = (ticket: string) => {
      asked = ticket;
      this.#asked.add(ticket);
      const right = this.#agent.leaf === undefined ? null : this.#rightOf(holder);
      this.#send({
        type: "dial",
        ticket,
        app_id: holder.appId,
        peer,
        ...(right === null ? {} : { right }),
      });
    };
    try {
      return await this.#rendezvous.arrange(ask, RENDEZVOUS_MS, signal);
    } finally {
      this.#asked.delete(asked);
    }
  }

  /** Tells the agent that somebody was locked out. */
  lock(target: LockTarget): void {
    this.#send({ type: "lock", target });
  }

  /** Tells the agent that an app session may not go on. */
  revoke(sessionId: string, code: Denial): void {
    this.#send({ type: "revoked", session_id: sessionId, code });
  }

  /** Tells the agent that the proxy goes away. */
  drain(): void {
    this.#send({ type: "drain" });
  }

  close(reason: string): void {
    log.debug("Closing a control channel", { agent: this.#agent.name, reason });
    this.#socket.terminate();
    this.#end();
  }

  /** Lets the agent do nothing more, and tells it why. */
  expel(reason: string): void {
    if (this.#ended) return;
    log.warning("Expelled an agent", { agent: this.#agent.name, reason });
    this.#goodbyeTimer = setTimeout(() => this.#socket.terminate(), GOODBYE_MS);
    this.#socket.close(POLICY_VIOLATION, reason);
    this.#end();
  }

  #take(message: AgentMessage): void {
    switch (message.type) {
      case "apps":
        return this.#gather(message.apps);
      case "hello":
        return void this.#greet(message.apps, message.leaf).catch((error) => {
          log.error("Cannot greet an agent", { agent: this.#agent.name, error: String(error) });
          this.close("failed");
        });
      case "dial_failed": {
        if (!this.#asked.has(message.ticket)) return;
        const code = readConnectionRefusal(message.code) ?? "no-agent";
        const error = refusalError(code, "Cannot reach an agent", { state: message.message });
        return this.#rendezvous.refuse(message.ticket, error);
      }
      case "report":
        return void this.#report(message);
      case "ping":
        return this.#send({ type: "pong" });
      case "pong":
        this.#missed = 0;
        return;
      case "drain":
        // Nobody new is sent to it; what it carries goes on.
        this.#isDraining = true;
        return this.#auth.agents.disconnected(this.instance);
    }
  }

  #gather(apps: readonly unknown[]): void {
    if (++this.#parts >= HELLO_MAX_PARTS || this.#apps.length + apps.length > MAX_AGENT_APPS) {
      this.#apps = [];
      return this.expel("apps-too-many");
    }
    this.#apps.push(...apps);
  }

  async #greet(last: readonly unknown[], leaf: unknown): Promise<void> {
    const offered = [...this.#apps, ...last];
    this.#apps = [];
    this.#parts = 0;
    clearTimeout(this.#helloTimer);
    if (offered.length > MAX_AGENT_APPS) return this.expel("apps-too-many");
    // A leaf says hello again whenever an agent of its comes or goes: often, but not without end
    const isTooMuch = this.#agent.leaf === undefined && ++this.#hellos > MAX_HELLOS;
    if (isTooMuch || !this.#mayGreet()) return this.expel("too many hellos");
    const verdict = await this.#judge();
    if (verdict.kind === "refused") return this.expel(verdict.code);
    if (this.#ended || this.#isDraining) return;
    const apps = offered.map((app) => AgentAppSchema.safeParse(app))
      .filter((parsed) => parsed.success).map((parsed) => parsed.data);
    const refused = await this.#auth.greet({
      agent: verdict.agent,
      apps,
      instance: this.instance,
      leaf,
      onRefused: (refused) => this.#welcome(refused),
    });
    // Gone while its names were looked at: it serves nothing
    if (this.#ended || this.#isDraining) return this.#auth.agents.disconnected(this.instance);
    log.info("An agent is connected", { agent: this.#agent.name, apps: apps.length });
    this.#welcome(refused);
  }

  #welcome(refused: readonly OfferRefusal[]): void {
    if (refused.length > 0) {
      log.warning("An agent may not have all that it offers", {
        agent: this.#agent.name,
        refused: refused.length,
      });
    }
    this.#send({
      type: "welcome",
      refused: refused.slice(0, MAX_REFUSED).map(({ app, code, reason, publicAddr }) => ({
        app,
        code,
        reason: reason.slice(0, MAX_REASON),
        ...(publicAddr === undefined ? {} : { public_addr: publicAddr }),
      })),
    });
  }

  async #report(
    { id, events, partial = false }: Extract<AgentMessage, { readonly type: "report" }>,
  ): Promise<void> {
    const parsed = z.array(FlowEventSchema).safeParse(events);
    if (!parsed.success) {
      const message = "the events are not understood";
      return this.#send({ type: "report_failed", id, code: "protocol-violated", message });
    }
    try {
      const agent = await this.#reporting();
      const refused = await this.#auth.reportFlow(agent, parsed.data, { partial });
      this.#send({
        type: "reported",
        id,
        ...(refused.length === 0 ? {} : { refused: [...refused] }),
      });
    } catch (thrown) {
      const code = thrown instanceof VnetError ? thrown.code : "internal";
      log.error("Cannot record what an agent reports", { agent: this.#agent.name, code });
      const message = thrown instanceof AuthError
        ? thrown.message
        : "the audit log cannot be written";
      this.#send({ type: "report_failed", id, code, message });
    }
  }

  /** What a leaf serves changes while it is connected. */
  async #reporting(): Promise<AgentIdentity> {
    if (this.#agent.leaf === undefined) return this.#agent;
    const verdict = await this.#judge();
    return verdict.kind === "good" ? verdict.agent : { ...this.#agent, apps: [] };
  }

  #ping(): void {
    const isDead = this.#missed++ >= CONTROL_PING_MISSES;
    if (isDead) return this.close("no answer to pings");
    this.#send({ type: "ping" });
  }

  #send(message: ProxyMessage): void {
    if (this.#ended) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) return this.close("does not read");
    this.#socket.send(JSON.stringify(message));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    clearTimeout(this.#helloTimer);
    this.#auth.agents.disconnected(this.instance);
    const error = refusalError("no-agent", "Cannot reach an agent", { state: "it is gone" });
    for (const ticket of this.#asked) this.#rendezvous.refuse(ticket, error);
    log.info("An agent is gone", { agent: this.#agent.name });
    this.#onEnd();
  }
}
