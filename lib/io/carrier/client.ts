import type net from "node:net";
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
import { type Endpoint, type HostPort, parseIp, unmapIp } from "../../ip/mod.ts";
import { ProxyOrder } from "../dial/proxy_order.ts";
import { throughProxies } from "../dial/through_proxies.ts";
import { type ByteStream, TlsStream } from "../stream.ts";
import { type Dialer, dialTcp } from "../tcp.ts";
import { startTlsClient, type TlsContext, type TlsSession } from "../tls.ts";
import { namesHost } from "../x509/verify.ts";
import type { GoodCertificate, KnownCertificates } from "../x509/known.ts";

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
  /** All the proxies there are, in the order to try them; `proxy` alone if not given. */
  readonly proxies?: ProxyOrder;
  readonly credentials: AppCredentials;
  readonly hostCaPems: readonly string[];
  /** How the proxy is reached, if not directly. */
  readonly dial?: Dialer;
}

interface DialMeans {
  readonly context: TlsContext;
  readonly agents: AgentTrust;
  readonly nowMs: () => number;
}

/**
 * Opens a carrier: TCP to the proxy, TLS through it to an agent. A proxy that is silent or refuses has the next one
 * tried.
 */
export async function dialCarrier(
  target: CarrierTarget,
  means: DialMeans,
  signal: AbortSignal,
): Promise<ClientCarrier> {
  const act = `Cannot reach app "${target.app}"`;
  if (target.credentials.expiresMs <= means.nowMs()) throw refusalError("certificate-expired", act);
  const order = target.proxies ?? new ProxyOrder(target.proxy, means.nowMs);
  return await throughProxies(order, {
    act,
    attempt: (proxy, signal) => meetAgent(proxy, { target, means, act }, signal),
    discard: (late) => late.close(),
  }, signal);
}

/** Opens a carrier through one of the proxies. */
async function meetAgent(
  proxy: HostPort,
  { target, means, act }: {
    readonly target: CarrierTarget;
    readonly means: DialMeans;
    readonly act: string;
  },
  signal: AbortSignal,
): Promise<ClientCarrier> {
  const { dial = dialTcp, credentials } = target;
  const serverName = appServerName(credentials.ticket, target.appId);
  const socket = await dial(proxy, signal).catch((cause) => {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof VnetError) throw cause; // says itself what is on the way
    throw refusalError("proxy-unreachable", act, { ...connectCause(cause, proxy), cause });
  });
  const session = await startTlsClient(socket, {
    context: means.context,
    serverName,
    protocols: [APP_PROTOCOL],
  }, signal).catch((thrown) => {
    if (signal.aborted) throw signal.reason;
    const told = thrown instanceof Error ? refusalOfAlert(thrown.message) : null;
    const cause = told === null ? alertCause(thrown) ?? handshakeCause(thrown) : null;
    throw refusalError(told ?? "proxy-closed", act, { ...cause, cause: thrown });
  });
  const distrust = judgeAgent(session, serverName, means);
  if (distrust === null) {
    return new ClientCarrier(new TlsStream(session.socket), {
      app: target.app,
      expiresMs: credentials.expiresMs,
      way: { proxy, ...endsOf(socket) },
    });
  }
  session.socket.destroy();
  throw refusalError(distrust.code, act, { state: distrust.state });
}

/** The way that a carrier goes. */
export interface CarrierWay {
  readonly proxy: HostPort;
  /** The TCP connection as this machine has it; `null` where it cannot be told. */
  readonly source: Endpoint | null;
  readonly destination: Endpoint | null;
}

function endsOf(socket: net.Socket): Pick<CarrierWay, "source" | "destination"> {
  return {
    source: endpointOf(socket.localAddress, socket.localPort),
    destination: endpointOf(socket.remoteAddress, socket.remotePort),
  };
}

function endpointOf(address: string | undefined, port: number | undefined): Endpoint | null {
  try {
    return address === undefined || port === undefined
      ? null
      : { address: unmapIp(parseIp(address)), port };
  } catch {
    return null;
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
  /** `null` on a wire that is no network's. */
  readonly way: CarrierWay | null;
  readonly #act: string;
  readonly #link: CarrierLink;
  #opening: PromiseWithResolvers<Flow> | null = null;
  #flow: Flow | null = null;
  #onIdle: () => void = () => {};
  #onLost: () => void = () => {};

  constructor(
    stream: ByteStream,
    of: { readonly app: string; readonly expiresMs: number; readonly way?: CarrierWay },
  ) {
    this.expiresMs = of.expiresMs;
    this.way = of.way ?? null;
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

  /** How often something came in. */
  get heard(): number {
    return this.#link.heard;
  }

  /** Calls back each time a flow is over and the carrier is free again, and once when it is lost. */
  watch(on: { readonly idle: () => void; readonly lost: () => void }): void {
    this.#onIdle = on.idle;
    this.#onLost = on.lost;
  }

  /**
   * Has the agent connect to the app.
   *
   * @param doubtMs How long the other end may be silent on a carrier that was idle, if that is to be found out: it
   * answers a ping at once, whatever the app takes.
   * @throws {CarrierLost} if the carrier turned out to be gone before the agent had answered.
   * @throws {CarrierSilent} if nothing at all was heard for so long.
   * @throws {VnetError} with the agent's code if it refuses.
   */
  async open(open: Open, signal: AbortSignal, doubtMs: number | null = null): Promise<Flow> {
    if (this.isBusy) throw new TypeError("A carrier carries one flow at a time");
    if (!this.isOpen) throw new CarrierLost();
    const opening = Promise.withResolvers<Flow>();
    opening.promise.catch(() => {});
    this.#opening = opening;
    const { heard } = this;
    const doubt = doubtMs === null ? undefined : setTimeout(() => {
      if (this.heard === heard) opening.reject(new CarrierSilent());
    }, doubtMs);
    try {
      return await withDeadline(OPEN_MS, signal, async (signal) => {
        const frame = encodeJsonFrame("open", open);
        const sent = doubtMs === null ? this.#link.send(frame) : this.#link.sendAndPing(frame);
        sent.catch((error: Error) => this.#link.close(error));
        return await orAborted(opening.promise, signal);
      });
    } catch (thrown) {
      if (this.#opening === opening || this.#flow !== null) this.close(); // nobody waits for its answer
      if (thrown instanceof DeadlinePassed) throw refusalError("proxy-timeout", this.#act);
      throw thrown;
    } finally {
      clearTimeout(doubt);
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

/** Nothing was heard on a carrier that was idle before. */
export class CarrierSilent extends CarrierLost {}

/** Turns what an agent said into an error of ours; a code we do not know keeps its words. */
function remoteError(told: string, act: string, message: string): VnetError {
  const code = readConnectionRefusal(told);
  if (code !== null) return refusalError(code, act, message === "" ? {} : { state: message });
  const denied = told.startsWith("certificate-") || told.startsWith("access-");
  return new (denied ? AuthError : NetworkError)(told, `${act}: ${message}`);
}
