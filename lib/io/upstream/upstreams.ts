/**
 * The resolvers the machine had before us, and asking them.
 *
 * A question goes to the upstream that answered last. Who is silent for a moment, or answers with a failure, has
 * the next one asked beside it; the first good answer wins. Every time a question is sent, it has a new id and a
 * new letter case. A question that comes in while an equal one gets no answer may be that one, gone in a circle: it
 * has its upstreams probed. What clients ask proves nothing, for they can ask anything.
 *
 * @module
 * @see RFC 5452 section 9, draft-vixie-dnsext-dns0x20
 */
import { EDE, equalQuestion, type ExtendedError, hashQuestion, type Query } from "../../dns/mod.ts";
import { type Endpoint, equalEndpoint, formatEndpoint, type IpAddress } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import { Asking, TICK_MS } from "./asking.ts";
import { SourcePorts } from "./port.ts";
import { LoopProbes } from "./probe.ts";
import { TcpConnections } from "./tcp.ts";
import { type AskOptions, newUpstream, type Upstream, type UpstreamResult } from "./upstream.ts";

const log = getLogger("io", "upstream");

/** An upstream that leads back to us is left alone for so long. */
const LOOP_PAUSE_MS = 60_000;
const STOPPING: ExtendedError = { code: EDE.NOT_READY, text: "this server is stopping" };

interface UpstreamsOptions {
  /** The clock's step, 50 ms if not given: every wait is a number of steps. */
  readonly tickMs?: number;
  /** How long an unused TCP connection stays open, 5 s if not given. */
  readonly tcpIdleMs?: number;
  /** Whether what is sent to an address comes back to this server. */
  readonly isOwn?: (address: IpAddress) => boolean;
}

/** The upstreams, the questions that are with them, and the sockets in between. */
export class Upstreams implements AsyncDisposable {
  readonly #ports = new SourcePorts();
  readonly #probes = new LoopProbes(this.#ports);
  readonly #tcp: TcpConnections;
  readonly #asking = new Set<Asking>();
  /** Those that are under way, by their question's hash; the last one where two are equal. */
  readonly #byQuestion = new Map<number, Asking>();
  readonly #ended = new Set<Promise<void>>();
  #upstreams: readonly Upstream[] = [];
  #lastGood: Upstream | null = null;
  #ticker: ReturnType<typeof setInterval> | null = null;
  readonly #tickMs: number;
  readonly #isOwn: (address: IpAddress) => boolean;
  #loopsFound = 0;
  #closed = false;

  constructor(options: UpstreamsOptions = {}) {
    this.#tickMs = options.tickMs ?? TICK_MS;
    const { tcpIdleMs, isOwn = () => false } = options;
    this.#isOwn = isOwn;
    this.#tcp = new TcpConnections(tcpIdleMs === undefined ? {} : { idleMs: tcpIdleMs });
  }

  /** Replaces the list. What is known of those that stay is kept. */
  set(endpoints: readonly Endpoint[]): void {
    this.#upstreams = endpoints.map((endpoint) =>
      this.#upstreams.find((known) => equalEndpoint(known.endpoint, endpoint)) ??
        newUpstream(endpoint)
    );
    this.#tcp.keepOnly(this.#upstreams);
  }

  /** The network is another: what is known of the upstreams holds no more, nor do connections to them. */
  forget(): void {
    this.#lastGood = null;
    this.#upstreams = this.#upstreams.map(({ endpoint }) => newUpstream(endpoint));
    this.#tcp.keepOnly([]);
  }

  /** The list, in the order given. */
  get endpoints(): readonly Endpoint[] {
    return this.#upstreams.map(({ endpoint }) => endpoint);
  }

  /** How often an upstream was found to lead back to us. */
  get loopsFound(): number {
    return this.#loopsFound;
  }

  /**
   * Asks, and tells what came of it exactly once.
   *
   * @param query Must stay as it is until then.
   */
  ask(query: Query, options: AskOptions, done: (result: UpstreamResult) => void): void {
    const upstreams = this.#inOrder(performance.now());
    if (upstreams.length === 0 || this.#closed) {
      done({ kind: "failed", error: this.#noneLeft() });
      return;
    }
    const hash = hashQuestion(query);
    const asking = new Asking(query, options, upstreams, {
      ports: this.#ports,
      tcp: this.#tcp,
      probe: (upstream, onBack) => {
        const onLoop = () => this.#disable(upstream);
        this.#probes.send(upstream, query, { nowMs: performance.now(), onLoop, onBack });
      },
      background: (work) => this.#keep(work),
      done: (result, winner) => {
        this.#asking.delete(asking);
        if (this.#byQuestion.get(hash) === asking) this.#byQuestion.delete(hash);
        if (winner !== null) this.#lastGood = winner;
        done(result);
      },
    });
    this.#asking.add(asking);
    this.#byQuestion.set(hash, asking);
    this.#ticker ??= setInterval(() => this.#tick(), this.#tickMs);
    asking.start();
  }

  /**
   * Tells whether a client's question is a probe of ours that has come back. A question that is under way already
   * has its upstreams probed, should they go on being silent.
   *
   * @returns Whether to answer it with a failure.
   */
  leadsBack(query: Query): boolean {
    if (this.#probes.take(query)) return true;
    const asking = this.#byQuestion.get(hashQuestion(query));
    if (asking !== undefined && equalQuestion(query, asking.query)) asking.suspect();
    return false;
  }

  /** Ends every question; each is told that it failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#ticker !== null) clearInterval(this.#ticker);
    for (const asking of [...this.#asking]) asking.fail(STOPPING);
    this.#probes.clear();
    await this.#tcp[Symbol.asyncDispose]();
    await this.#ports[Symbol.asyncDispose]();
    await Promise.all(this.#ended);
  }

  #tick(): void {
    for (const asking of [...this.#asking]) asking.tick();
    this.#probes.tick(performance.now());
    if (this.#asking.size > 0 || this.#probes.size > 0 || this.#ticker === null) return;
    clearInterval(this.#ticker);
    this.#ticker = null;
  }

  #inOrder(nowMs: number): Upstream[] {
    const usable = this.#upstreams.filter(({ disabledUntilMs, endpoint }) =>
      disabledUntilMs <= nowMs && !this.#isOwn(endpoint.address)
    );
    const first = this.#lastGood === null ? 0 : Math.max(usable.indexOf(this.#lastGood), 0);
    return [...usable.slice(first), ...usable.slice(0, first)];
  }

  #disable(upstream: Upstream): void {
    const nowMs = performance.now();
    if (upstream.disabledUntilMs > nowMs) return;
    upstream.disabledUntilMs = nowMs + LOOP_PAUSE_MS;
    this.#loopsFound++;
    log.warning("An upstream resolver leads back to this server", { pauseMs: LOOP_PAUSE_MS });
    log.debug("Left alone", { upstream: formatEndpoint(upstream.endpoint) });
    for (const asking of [...this.#asking]) asking.giveUp(upstream);
  }

  #noneLeft(): ExtendedError {
    if (this.#closed) return STOPPING;
    return this.#upstreams.length === 0
      ? { code: EDE.NO_REACHABLE_AUTHORITY, text: "no upstream resolver is known" }
      : { code: EDE.NO_REACHABLE_AUTHORITY, text: "every upstream leads back to this server" };
  }

  #keep(work: Promise<void>): void {
    const ended = work.finally(() => this.#ended.delete(ended));
    this.#ended.add(ended);
  }
}
