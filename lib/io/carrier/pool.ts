import { NetworkError } from "../../error.ts";
import { rightOf } from "../../identity/mod.ts";
import { refusalError } from "../../refusal/mod.ts";
import { type CarrierSurroundings, closeDead } from "./check.ts";
import type { Flow, FlowConn, FlowSummary } from "./flow.ts";
import {
  type AgentTrust,
  CarrierLost,
  CarrierSilent,
  type CarrierTarget,
  type ClientCarrier,
  dialCarrier,
} from "./client.ts";
import { PROXY_SILENCE_MS } from "../dial/silence.ts";
import type { HostPort } from "../../ip/mod.ts";
import { pause } from "../../wait.ts";
import { randomHex } from "../keys.ts";
import { createTlsContext, type TlsContext } from "../tls.ts";
import { parseCertificate, verifyCertificate } from "../x509/verify.ts";
import { KnownCertificates } from "../x509/known.ts";

const IDLE_MS = 60_000;
const PING_MS = 20_000;
const PING_MISSES = 2;
const HOUSEKEEPING_MS = 5_000;
/** Idle carriers kept for one port of an app; more are closed when their flow ends. */
const MAX_IDLE = 32;
const MAX_CARRIERS = 16_384;
const MAX_CONTEXTS = 1024;

/** An open way to an app; the agent has connected to it. */
export interface CarrierFlow {
  /** Carries bytes both ways until both are at their end, then closes the connection. Never rejects. */
  splice(conn: FlowConn, signal: AbortSignal): Promise<FlowSummary>;
  /** Gives the flow up unused. */
  abort(): void;
  /** What went through it so far. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** How the pool is doing. */
interface CarrierStats {
  readonly idle: number;
  readonly busy: number;
  readonly dialled: number;
  readonly reused: number;
}

type Timer = ReturnType<typeof setInterval>;

interface Idle {
  readonly carrier: ClientCarrier;
  readonly sinceMs: number;
  pingedMs: number;
}

/** The carriers to one port of one app, for one right to it. */
interface Lane {
  readonly key: string;
  /** The last is the one used last. */
  readonly idle: Idle[];
  isWarming: boolean;
  /** Carriers idle, busy and being dialled; the lane goes with its last one. */
  members: number;
}

/** What a certificate and its trust were turned into, for the next carrier. */
interface Prepared {
  /** Whose carriers may be used with it. */
  readonly right: string;
  readonly context: TlsContext;
  readonly agents: AgentTrust;
}

/**
 * Keeps carriers between flows: a flow takes an idle one or waits for a new one, and another is warmed up when the
 * last idle one was taken.
 */
export class CarrierPool {
  readonly #nowMs: () => number;
  readonly #lanes = new Map<string, Lane>();
  readonly #prepared = new Map<string, Prepared>();
  readonly #all = new Set<ClientCarrier>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  #isRetired = false;
  readonly #emptied = Promise.withResolvers<void>();
  #timer: Timer | null = null;
  #dialled = 0;
  #reused = 0;

  constructor(options: { readonly nowMs?: () => number } = {}) {
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /**
   * Opens a flow to an app: resolves when the agent has connected to it.
   *
   * @param source The client program's own end, as text, for the agent's record.
   * @throws {NetworkError | AuthError | ProtocolError} with a `ConnectionRefusalCode`.
   */
  async acquire(target: CarrierTarget, signal: AbortSignal, source?: string): Promise<CarrierFlow> {
    if (this.#closing.signal.aborted) {
      throw new NetworkError(
        "draining",
        `Cannot connect to app "${target.app}": vnet is shutting down`,
      );
    }
    const lane = this.#laneOf(target);
    const open = {
      flow_id: randomHex(12),
      port: target.port,
      reasons: true,
      ...(source === undefined ? {} : { source }),
    };
    for (;;) {
      const carrier = this.#takeIdle(lane, target);
      if (carrier === null) break;
      try {
        this.#reused++;
        if (lane.idle.length === 0) this.#warm(lane, target);
        return await carrier.open(open, signal, PROXY_SILENCE_MS);
      } catch (thrown) {
        if (!(thrown instanceof CarrierLost)) throw thrown; // lost while idle: try the next
        if (thrown instanceof CarrierSilent) this.#giveUpOn(carrier, target);
      }
    }
    const fresh = await this.#connect(lane, target, signal);
    const flow = await this.#openFirst(fresh, open, target, signal);
    if (lane.idle.length === 0) this.#warm(lane, target);
    return flow;
  }

  stats(): CarrierStats {
    const busy = [...this.#all].filter((carrier) => carrier.isBusy).length;
    return {
      idle: this.#all.size - busy,
      busy,
      dialled: this.#dialled,
      reused: this.#reused,
    };
  }

  /** The network is another: closes the carriers that lead nowhere any more. */
  async check(around: CarrierSurroundings): Promise<void> {
    const wait = (ms: number) => pause(ms, this.#closing.signal);
    const checking = closeDead([...this.#all], around, wait);
    this.#pending.add(checking);
    await checking.finally(() => this.#pending.delete(checking));
  }

  /**
   * Closes what is idle, and every carrier when its flow ends: nobody will ask for one again.
   *
   * @returns Settles when the last one is closed.
   */
  retire(): Promise<void> {
    this.#isRetired = true;
    for (const lane of this.#lanes.values()) {
      for (const { carrier } of [...lane.idle]) carrier.close();
    }
    if (this.#all.size === 0) this.#emptied.resolve();
    return this.#emptied.promise;
  }

  /** Closes every carrier; flows on them end. */
  async close(): Promise<void> {
    this.#closing.abort(new NetworkError("draining", "Cannot connect: vnet is shutting down"));
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const carrier of this.#all) carrier.close();
    await Promise.allSettled(this.#pending);
    for (const carrier of this.#all) carrier.close();
    this.#emptied.resolve();
  }

  #laneOf(target: CarrierTarget): Lane {
    const { appId, port, proxy } = target;
    const { right } = this.#prepare(target);
    const key = `${appId}:${port}@${proxy.host}:${proxy.port} ${right}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, idle: [], isWarming: false, members: 0 };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** Nobody waits again for those that went the same way and were idle as well. */
  #giveUpOn({ way }: ClientCarrier, { proxies }: CarrierTarget): void {
    if (way === null) return;
    proxies?.failed(way.proxy);
    for (const lane of this.#lanes.values()) {
      for (const { carrier } of [...lane.idle]) {
        if (carrier.way !== null && isSame(carrier.way.proxy, way.proxy)) carrier.close();
      }
    }
  }

  #takeIdle(lane: Lane, { proxies }: CarrierTarget): ClientCarrier | null {
    for (;;) {
      const taken = lane.idle.pop();
      if (taken === undefined) return null;
      const { carrier } = taken;
      const isShunned = carrier.way !== null && proxies?.isShunned(carrier.way.proxy) === true;
      if (carrier.isOpen && !isShunned && carrier.expiresMs > this.#nowMs()) return carrier;
      carrier.close();
    }
  }

  async #openFirst(
    carrier: ClientCarrier,
    open: Parameters<ClientCarrier["open"]>[0],
    target: CarrierTarget,
    signal: AbortSignal,
  ): Promise<Flow> {
    try {
      return await carrier.open(open, signal);
    } catch (thrown) {
      if (!(thrown instanceof CarrierLost)) throw thrown;
      throw refusalError("proxy-closed", `Cannot connect to app "${target.app}"`, {
        cause: thrown,
      });
    }
  }

  async #connect(lane: Lane, target: CarrierTarget, signal: AbortSignal): Promise<ClientCarrier> {
    if (this.#all.size >= MAX_CARRIERS) {
      throw refusalError("overloaded", `Cannot connect to app "${target.app}"`);
    }
    const means = { ...this.#prepare(target), nowMs: this.#nowMs };
    const both = AbortSignal.any([signal, this.#closing.signal]);
    const dialling = dialCarrier(target, means, both);
    this.#pending.add(dialling);
    lane.members++;
    let carrier: ClientCarrier;
    try {
      carrier = await dialling;
    } catch (thrown) {
      this.#leave(lane);
      throw thrown;
    } finally {
      this.#pending.delete(dialling);
    }
    this.#dialled++;
    this.#all.add(carrier);
    carrier.watch({
      idle: () => this.#park(lane, carrier),
      lost: () => this.#drop(lane, carrier),
    });
    this.#timer ??= startTimer(() => this.#keepHouse(), HOUSEKEEPING_MS);
    return carrier;
  }

  #prepare(target: CarrierTarget): Prepared {
    const { credentials, hostCaPems } = target;
    const key = [credentials.certificatePem, ...hostCaPems].join("");
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const authorities = hostCaPems.map((pem) => parseCertificate(pem)).filter((one) =>
      one !== null
    );
    const { principal = null, claims = null } = parseCertificate(credentials.certificatePem) ?? {};
    const prepared = {
      right: principal === null || claims?.kind !== "app" ? key : rightOf(principal, claims),
      context: createTlsContext({ identity: credentials, authorityPems: hostCaPems }),
      agents: new KnownCertificates((der, nowMs) =>
        verifyCertificate(der, { authorities, purpose: "server", nowMs })
      ),
    };
    if (this.#prepared.size >= MAX_CONTEXTS) this.#prepared.clear();
    this.#prepared.set(key, prepared);
    return prepared;
  }

  /** Opens a carrier that nobody asked for yet; if that fails, whoever asks next will hear why. */
  #warm(lane: Lane, target: CarrierTarget): void {
    if (lane.isWarming || this.#isRetired || this.#closing.signal.aborted) return;
    lane.isWarming = true;
    const warming = this.#connect(lane, target, this.#closing.signal)
      .then((carrier) => this.#park(lane, carrier), () => {})
      .finally(() => {
        lane.isWarming = false;
        this.#pending.delete(warming);
      });
    this.#pending.add(warming);
  }

  #park(lane: Lane, carrier: ClientCarrier): void {
    if (!carrier.isOpen) return;
    const isUnwanted = this.#isRetired || this.#closing.signal.aborted;
    if (isUnwanted || lane.idle.length >= MAX_IDLE) return carrier.close();
    const nowMs = this.#nowMs();
    lane.idle.push({ carrier, sinceMs: nowMs, pingedMs: nowMs });
  }

  #drop(lane: Lane, carrier: ClientCarrier): void {
    this.#all.delete(carrier);
    const at = lane.idle.findIndex((idle) => idle.carrier === carrier);
    if (at >= 0) lane.idle.splice(at, 1);
    this.#leave(lane);
    if (this.#all.size > 0) return;
    if (this.#isRetired) this.#emptied.resolve();
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #leave(lane: Lane): void {
    lane.members--;
    if (lane.members === 0) this.#lanes.delete(lane.key);
  }

  #keepHouse(): void {
    const nowMs = this.#nowMs();
    for (const lane of this.#lanes.values()) {
      for (const idle of [...lane.idle]) {
        const { carrier } = idle;
        const isOld = nowMs - idle.sinceMs >= IDLE_MS || carrier.expiresMs <= nowMs;
        if (isOld || carrier.unanswered >= PING_MISSES) {
          carrier.close();
        } else if (nowMs - idle.pingedMs >= PING_MS) {
          idle.pingedMs = nowMs;
          carrier.ping();
        }
      }
    }
  }
}

function isSame(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port;
}

/** A timer that keeps no process alive. */
function startTimer(act: () => void, ms: number): Timer {
  const timer = setInterval(act, ms);
  timer.unref();
  return timer;
}
