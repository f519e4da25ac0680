import { AuthError, NetworkError, ProtocolError, VnetError } from "../../error.ts";
import { appServerName } from "../../identity/mod.ts";
import { readConnectionRefusal, refusalError } from "../../refusal/mod.ts";
import {
  APP_PROTOCOL,
  decodeJson,
  encodeJsonFrame,
  type Frame,
  refusalOfAlert,
} from "../../tunnel/mod.ts";
import { CarrierErrorSchema, type Open } from "../../wire/mod.ts";
import { Flow } from "./flow.ts";
import { CarrierLink, type FrameReceiver, violation } from "./link.ts";
import { alertCause, connectCause, handshakeCause } from "../cause.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../wait.ts";
import type { HostPort } from "../../ip/mod.ts";
import { type ByteStream, TlsStream } from "../stream.ts";
import { type Dialer, dialTcp } from "../tcp.ts";
import { startTlsClient, type TlsContext, type TlsSession } from "../tls.ts";
import { namesHost } from "../x509/verify.ts";
import type { GoodCertificate, KnownCertificates } from "../x509/known.ts";

/** TCP connection, relay to an agent and TLS handshake together. */
const HANDSHAKE_MS = 10_000;
/** The agent's checks and its dial of the target, which alone may take 10 s. */
const OPEN_MS = 15_000;

/** What a client shows to reach one port of an app. */
export interface AppCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly ticket: string;
  readonly expiresMs: number;
}

/** One reachable port of an app, and all it takes to get there. */
export interface CarrierTarget {
  readonly appId: string;
  /** For messages. */
  readonly app: string;
  readonly port: number;
  readonly proxy: HostPort;
  readonly credentials: AppCredentials;
  readonly hostCaPems: readonly string[];
  /** How the proxy is reached, if not directly. */
  readonly dial?: Dialer;
}

/** Opens a carrier: TCP to the proxy, TLS through it to an agent. */
export async function dialCarrier(
  target: CarrierTarget,
  means: {
    readonly context: TlsContext;
    readonly agents: AgentTrust;
    readonly nowMs: () => number;
  },
  signal: AbortSignal,
): Promise<ClientCarrier> {
  const act = `Cannot reach app "${target.app}"`;
  if (target.credentials.expiresMs <= means.nowMs()) throw refusalError("certificate-expired", act);
  const serverName = appServerName(target.credentials.ticket, target.appId);
  try {
    return await withDeadline(HANDSHAKE_MS, signal, async (signal) => {
      const { dial = dialTcp } = target;
      const socket = await dial(target.proxy, signal).catch((cause) => {
        if (signal.aborted) throw signal.reason;
        if (cause instanceof VnetError) throw cause; // says itself what is on the way
        throw refusalError("proxy-unreachable", act, {
          ...connectCause(cause, target.proxy),
          cause,
        });
      });
      const session = await startTlsClient(socket, {
        context: means.context,
        serverName,
        protocols: [APP_PROTOCOL],
      }, signal);
      const distrust = judgeAgent(session, serverName, means);
      if (distrust === null) {
        const { expiresMs } = target.credentials;
        return new ClientCarrier(new TlsStream(session.socket), { app: target.app, expiresMs });
      }
      session.socket.destroy();
      throw refusalError(distrust.code, act, { state: distrust.state });
    });
  } catch (thrown) {
    if (thrown instanceof VnetError) throw thrown;
    if (signal.aborted) throw signal.reason;
    if (thrown instanceof DeadlinePassed) throw refusalError("proxy-timeout", act);
    const told = thrown instanceof Error ? refusalOfAlert(thrown.message) : null;
    const cause = told === null ? alertCause(thrown) ?? handshakeCause(thrown) : null;
    throw refusalError(told ?? "proxy-closed", act, { ...cause, cause: thrown });
  }
}

/** Judges agents' certificates by the cluster's authorities. */
export type AgentTrust = KnownCertificates<GoodCertificate>;

function judgeAgent(
  session: TlsSession,
  serverName: string,
  trust: { readonly agents: AgentTrust; readonly nowMs: () => number },
): { readonly code: "agent-untrusted" | "protocol-violated"; readonly state: string } | null {
  if (session.socket.alpnProtocol !== APP_PROTOCOL) {
    return {
      code: "protocol-violated",
      state: "the other end does not speak the carrier protocol",
    };
  }
  const [own] = session.peerChain;
  if (own === undefined) {
    return { code: "agent-untrusted", state: "the agent shows no certificate" };
  }
  const verdict = trust.agents.judge(own, trust.nowMs());
  if (verdict.kind === "bad") {
    const state = `the agent's certificate is refused: ${verdict.message}`;
    return { code: "agent-untrusted", state };
  }
  if (!namesHost(verdict.certificate, serverName)) {
    return { code: "agent-untrusted", state: "the agent's certificate is for other apps" };
  }
  if (session.trusted) return null;
  return { code: "agent-untrusted", state: `the agent is not trusted: ${session.distrust}` };
}

/** The client's end of a carrier. One flow at a time. */
export class ClientCarrier implements FrameReceiver {
  readonly expiresMs: number;
  readonly #act: string;
  readonly #link: CarrierLink;
  #opening: PromiseWithResolvers<Flow> | null = null;
  #flow: Flow | null = null;
  #onIdle: () => void = () => {};
  #onLost: () => void = () => {};

  constructor(stream: ByteStream, of: { readonly app: string; readonly expiresMs: number }) {
    this.expiresMs = of.expiresMs;
    this.#act = `Cannot connect to app "${of.app}"`;
    this.#link = new CarrierLink(stream, this);
    void this.#link.pump();
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** True while it carries a flow, or is about to. */
  get isBusy(): boolean {
    return this.#flow !== null || this.#opening !== null;
  }

  /** Pings that were not answered. */
  get unanswered(): number {
    return this.#link.unanswered;
  }

  /** Calls back each time a flow is over and the carrier is free again, and once when it is lost. */
  watch(on: { readonly idle: () => void; readonly lost: () => void }): void {
    this.#onIdle = on.idle;
    this.#onLost = on.lost;
  }

  /**
   * Has the agent connect to the app.
   *
   * @throws {CarrierLost} if the carrier turned out to be gone before the agent had answered.
   * @throws {VnetError} with the agent's code if it refuses.
   */
  async open(open: Open, signal: AbortSignal): Promise<Flow> {
    if (this.isBusy) throw new TypeError("A carrier carries one flow at a time");
    if (!this.isOpen) throw new CarrierLost();
    const opening = Promise.withResolvers<Flow>();
    opening.promise.catch(() => {});
    this.#opening = opening;
    try {
      return await withDeadline(OPEN_MS, signal, async (signal) => {
        this.#link.send(encodeJsonFrame("open", open)).catch((error: Error) =>
          this.#link.close(error)
        );
        return await orAborted(opening.promise, signal);
      });
    } catch (thrown) {
      if (this.#opening === opening || this.#flow !== null) this.close(); // nobody waits for its answer
      if (thrown instanceof DeadlinePassed) throw refusalError("proxy-timeout", this.#act);
      throw thrown;
    }
  }

  ping(): void {
    this.#link.ping();
  }

  close(): void {
    this.#link.close();
  }

  receive(frame: Frame): void {
    const opening = this.#opening;
    if (opening === null) return this.#link.close(violation(`"${frame.type}" on an idle carrier`));
    if (frame.type === "ok") {
      this.#opening = null;
      this.#flow = new Flow(this.#link, () => this.#release());
      opening.resolve(this.#flow);
    } else if (frame.type === "error") {
      const error = decodeJson(CarrierErrorSchema, frame.payload);
      if (error === null) return this.#link.close(violation("an error that cannot be read"));
      this.#opening = null;
      opening.reject(remoteError(error.code, this.#act, error.message));
      this.#onIdle();
    } else {
      this.#link.close(violation(`"${frame.type}" before "ok"`));
    }
  }

  lost(error: Error | null): void {
    this.#flow = null;
    const opening = this.#opening;
    this.#opening = null;
    opening?.reject(error instanceof ProtocolError ? error : new CarrierLost(error));
    this.#onLost();
  }

  #release(): void {
    this.#flow = null;
    this.#link.receiver = this;
    this.#onIdle();
  }
}

/** The carrier ended before the agent answered: another may be tried. */
export class CarrierLost extends Error {
  override readonly name = "CarrierLost";

  constructor(cause: Error | null = null) {
    super("The carrier is gone", { cause });
  }
}

/** Turns what an agent said into an error of ours; a code we do not know keeps its words. */
function remoteError(told: string, act: string, message: string): VnetError {
  const code = readConnectionRefusal(told);
  if (code !== null) return refusalError(code, act, message === "" ? {} : { state: message });
  const denied = told.startsWith("certificate-") || told.startsWith("access-");
  return new (denied ? AuthError : NetworkError)(told, `${act}: ${message}`);
}
