import type { WebSocket } from "ws";
import { z } from "zod";
import { AgentAppSchema, FlowEventSchema, type LockTarget } from "../../config/mod.ts";
import {
  type AgentMessage,
  AgentMessageSchema,
  CONTROL_PING_MISSES,
  CONTROL_PING_MS,
  decodeControl,
  isRefusalCode,
  type ProxyMessage,
  refusalError,
} from "../../tunnel/mod.ts";
import { VnetError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import type { AgentIdentity, AuthService } from "../auth/mod.ts";
import type { Rendezvous } from "./rendezvous.ts";

const log = getLogger("server", "proxy");

const HELLO_MS = 10_000;
const MAX_APPS = 1024;
/** A channel whose agent reads nothing is cut before it holds more than this. */
const MAX_BUFFERED_BYTES = 1_048_576;

/** The proxy's end of one agent's control channel. */
export class AgentChannel {
  readonly instance = Symbol("agent");
  readonly #socket: WebSocket;
  readonly #agent: AgentIdentity;
  readonly #auth: Pick<AuthService, "agents" | "reportFlow">;
  readonly #rendezvous: Rendezvous;
  readonly #onEnd: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  readonly #expiresMs: number;
  readonly #nowMs: () => number;
  #missed = 0;
  #ended = false;

  constructor(
    socket: WebSocket,
    of: {
      readonly agent: AgentIdentity;
      readonly auth: Pick<AuthService, "agents" | "reportFlow">;
      readonly rendezvous: Rendezvous;
      readonly nowMs: () => number;
      readonly onEnd: () => void;
    },
  ) {
    this.#socket = socket;
    this.#agent = of.agent;
    this.#auth = of.auth;
    this.#rendezvous = of.rendezvous;
    this.#onEnd = of.onEnd;
    this.#nowMs = of.nowMs;
    this.#expiresMs = of.agent.certificateExpiresMs;
    this.#timer = setInterval(() => this.#ping(), CONTROL_PING_MS);
    this.#helloTimer = setTimeout(() => this.close("no hello"), HELLO_MS);
    socket.on("message", (data, isBinary) => {
      const message = isBinary ? null : decodeControl(AgentMessageSchema, String(data));
      if (message !== null) this.#take(message);
    });
    socket.on("close", () => this.#end());
    socket.on("error", (error) => {
      log.debug("Control channel failed", { agent: this.#agent.name, error: error.message });
      this.close("failed");
    });
  }

  get agentId(): string {
    return this.#agent.agentId;
  }

  /** Asks the agent to open a data channel. */
  dial(request: { readonly ticket: string; readonly appId: string; readonly peer: string }): void {
    this.#send({ type: "dial", ticket: request.ticket, app_id: request.appId, peer: request.peer });
  }

  /** Tells the agent that somebody was locked out. */
  lock(target: LockTarget): void {
    this.#send({ type: "lock", target });
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

  #take(message: AgentMessage): void {
    switch (message.type) {
      case "hello":
        return this.#hello(message.apps);
      case "dial_failed": {
        const code = isRefusalCode(message.code) ? message.code : "no-agent";
        const error = refusalError(code, "Cannot reach an agent", { state: message.message });
        return this.#rendezvous.refuse(message.ticket, error);
      }
      case "report":
        return void this.#report(message.id, message.events);
      case "ping":
        return this.#send({ type: "pong" });
      case "pong":
        this.#missed = 0;
        return;
      case "drain":
        // Nobody new is sent to it; what it carries goes on.
        return this.#auth.agents.disconnected(this.instance);
    }
  }

  #hello(offered: readonly unknown[]): void {
    clearTimeout(this.#helloTimer);
    const apps = offered.slice(0, MAX_APPS).map((app) => AgentAppSchema.safeParse(app))
      .filter((parsed) => parsed.success).map((parsed) => parsed.data);
    const refused = this.#auth.agents.connected({
      agent: this.#agent,
      apps,
      instance: this.instance,
    });
    log.info("An agent is connected", {
      agent: this.#agent.name,
      apps: apps.length - refused.length,
    });
    this.#send({ type: "welcome", refused: [...refused] });
  }

  async #report(id: number, said: readonly unknown[]): Promise<void> {
    const parsed = z.array(FlowEventSchema).safeParse(said);
    if (!parsed.success) {
      const message = "the events are not understood";
      return this.#send({ type: "report_failed", id, code: "protocol-violated", message });
    }
    try {
      await this.#auth.reportFlow(this.#agent, parsed.data);
      this.#send({ type: "reported", id });
    } catch (thrown) {
      const code = thrown instanceof VnetError ? thrown.code : "internal";
      log.error("Cannot record what an agent reports", { agent: this.#agent.name, code });
      this.#send({ type: "report_failed", id, code, message: "the audit log cannot be written" });
    }
  }

  #ping(): void {
    const isDead = this.#missed++ >= CONTROL_PING_MISSES;
    if (isDead) return this.close("no answer to pings");
    if (this.#nowMs() >= this.#expiresMs) return this.close("certificate expired");
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
    log.info("An agent is gone", { agent: this.#agent.name });
    this.#onEnd();
  }
}
