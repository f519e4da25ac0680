import { WebSocket } from "ws";
import type { FlowEvent, ReportRefusal } from "../../wire/mod.ts";
import { dialServer, type ServerSettings } from "../../io/mod.ts";
import { formatHostPort } from "../../ip/mod.ts";
import { orAborted, withDeadline } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import { readRefusalCode, refusalError, refusalOf } from "../../refusal/mod.ts";
import {
  type AgentMessage,
  CONTROL_MESSAGE_MAX_BYTES,
  CONTROL_PING_MISSES,
  CONTROL_PING_MS,
  decodeControl,
  type ProxyMessage,
  ProxyMessageSchema,
} from "../../wire/mod.ts";

const log = getLogger("server", "agent");

const HANDSHAKE_MS = 10_000;
const REPORT_MS = 10_000;

export type Dial = Extract<ProxyMessage, { readonly type: "dial" }>;

/** What an agent does when its proxy speaks. */
interface ControlHandlers {
  dial(request: Dial): void;
  lock(target: unknown): void;
  /** An app session may not go on, for the reason that the code says. */
  revoked(sessionId: string, code: string): void;
}

/** The agent's end of one control channel. */
export class ControlChannel {
  readonly #socket: WebSocket;
  readonly #handlers: ControlHandlers;
  readonly #welcomed = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<string>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #reports = new Map<number, PromiseWithResolvers<readonly ReportRefusal[]>>();
  #nextReport = 0;
  #missed = 0;

  private constructor(socket: WebSocket, handlers: ControlHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#welcomed.promise.catch(() => {}); // whoever waits hears it
    this.#timer = setInterval(() => this.#ping(), CONTROL_PING_MS);
    socket.on("message", (data, isBinary) => {
      const message = isBinary ? null : decodeControl(ProxyMessageSchema, String(data));
      if (message !== null) this.#take(message);
    });
    socket.on("close", (_code, reason) => this.#end(String(reason)));
    socket.on("error", () => this.close());
  }

  /**
   * Connects, says hello and waits to be welcome.
   *
   * @param hello What is said first.
   * @throws {VnetError} when the proxy cannot be reached, is not the right one, or does not want us.
   */
  static async open(
    settings: ServerSettings,
    hello: readonly AgentMessage[],
    handlers: ControlHandlers,
    signal: AbortSignal,
  ): Promise<ControlChannel> {
    const socket = await connect(settings, signal);
    const channel = new ControlChannel(socket, handlers);
    for (const message of hello) channel.send(message);
    const abort = () => channel.close();
    const timer = setTimeout(abort, HANDSHAKE_MS);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await channel.#welcomed.promise;
      return channel;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Resolves when it has ended, with what the proxy said of why; empty if it said nothing. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  send(message: AgentMessage): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Has events written to the audit log. Rejects when they were not, or nobody knows. @returns What is refused. */
  async report(events: readonly FlowEvent[]): Promise<readonly ReportRefusal[]> {
    const id = this.#nextReport++;
    const done = Promise.withResolvers<readonly ReportRefusal[]>();
    done.promise.catch(() => {});
    this.#reports.set(id, done);
    try {
      this.send({ type: "report", id, events: [...events], partial: true });
      return await withDeadline(REPORT_MS, null, (signal) => orAborted(done.promise, signal));
    } finally {
      this.#reports.delete(id);
    }
  }

  close(): void {
    this.#socket.terminate();
    this.#end("");
  }

  #take(message: ProxyMessage): void {
    switch (message.type) {
      case "welcome":
        for (const refused of message.refused) tellRefused(refused);
        return this.#welcomed.resolve();
      case "dial":
        return this.#handlers.dial(message);
      case "reported":
        return this.#reports.get(message.id)?.resolve(message.refused ?? []);
      case "report_failed":
        return this.#reports.get(message.id)?.reject(
          refusalError("audit-failed", "Cannot report", { state: message.message }),
        );
      case "revoked":
        return this.#handlers.revoked(message.session_id, message.code);
      case "lock":
        return this.#handlers.lock(message.target);
      case "ping":
        return this.send({ type: "pong" });
      case "pong":
        this.#missed = 0;
        return;
      case "drain":
        return this.close();
    }
  }

  #ping(): void {
    if (this.#missed++ >= CONTROL_PING_MISSES) return this.close();
    this.send({ type: "ping" });
  }

  #end(reason: string): void {
    clearInterval(this.#timer);
    this.#welcomed.reject(
      refusalError("proxy-closed", "Cannot open the control channel"),
    );
    for (const report of this.#reports.values()) {
      report.reject(refusalError("proxy-closed", "Cannot report"));
    }
    this.#closed.resolve(reason);
  }
}

async function connect(settings: ServerSettings, signal: AbortSignal): Promise<WebSocket> {
  const secured = await dialServer(settings, ["http/1.1"], signal);
  // TLS is done already: the WebSocket speaks on what we give it.
  const socket = new WebSocket(`ws://${formatHostPort(settings.server)}/v1/agent`, {
    createConnection: (() => secured) as never,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: CONTROL_MESSAGE_MAX_BYTES,
    perMessageDeflate: false,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  socket.once("open", resolve);
  socket.once("error", reject);
  socket.once("unexpected-response", (_request, response) => {
    const state = `the proxy refuses this agent (HTTP status ${response.statusCode})`;
    reject(refusalError("ticket-refused", "Cannot open the control channel", { state }));
  });
  try {
    await promise;
    socket.off("error", reject);
    return socket;
  } catch (thrown) {
    socket.on("error", () => {});
    socket.terminate();
    secured.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Logs what the cluster does not want of this agent, with its code and what to do. */
function tellRefused(
  { app, reason, code: told, public_addr }: Extract<
    ProxyMessage,
    { readonly type: "welcome" }
  >["refused"][number],
): void {
  const code = told === undefined ? null : readRefusalCode(told);
  const hint = code === null ? undefined : refusalOf(code).hint;
  const what = public_addr === undefined ? "an app" : "a public address";
  log.warning(`The cluster does not want ${what} of this agent`, {
    app,
    ...(public_addr === undefined ? {} : { public_addr }),
    reason,
    ...(told === undefined ? {} : { code: told }),
    ...(hint === undefined ? {} : { hint }),
  });
}
