/**
 * TCP connections to upstream resolvers: one each, kept for a while, for many questions at a time.
 *
 * @module
 * @see RFC 7766 section 6.2
 */
import {
  type Acceptance,
  acceptAnswer,
  frameMessage,
  FrameSplitter,
  type Query,
} from "../../dns/mod.ts";
import { formatEndpoint } from "../../ip/mod.ts";
import type { PortTarget } from "./port.ts";

/** How long a connection on which nobody waits stays open. */
const IDLE_MS = 5_000;
/** How long opening one may take; the questions have deadlines of their own. */
const OPEN_MS = 4_500;
/** Upstreams that have a connection at a time; beyond that the one used longest ago goes. */
const MAX_CONNECTIONS = 16;
/** Questions on one connection at a time. */
const MAX_WAITING = 1024;
const READ_BYTES = 16_384;

/** An answer that belongs to the question. */
interface TcpAnswer {
  readonly bytes: Uint8Array;
  readonly acceptance: Acceptance;
}

interface TcpConnectionsOptions {
  /** How long an unused connection stays open, 5 s if not given. */
  readonly idleMs?: number;
}

/** The connections there are, by upstream. */
export class TcpConnections implements AsyncDisposable {
  /** Whoever was used last stands last. */
  readonly #open = new Map<string, Connection>();
  readonly #ended = new Set<Promise<void>>();
  readonly #idleMs: number;
  #closed = false;

  constructor(options: TcpConnectionsOptions = {}) {
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /**
   * Asks over the connection there is, or a new one. If the upstream closes one that was there before, as it may at
   * any time, the question is asked again over a new one, once (RFC 7766 section 6.2.4).
   *
   * @param sent The question as `encodeForward` made it; its id is replaced.
   * @returns `null` if no answer to it came before the signal aborted.
   */
  async ask(
    query: Query,
    sent: Uint8Array,
    target: PortTarget,
    signal: AbortSignal,
  ): Promise<TcpAnswer | null> {
    const known = this.#find(target);
    if (known !== null) {
      const answer = await known.ask(query, sent, signal);
      if (answer !== "closed") return answer;
    }
    if (signal.aborted || this.#closed) return null;
    // another question may have opened the new one meanwhile
    const answer = await (this.#find(target) ?? this.#connect(target)).ask(query, sent, signal);
    return answer === "closed" ? null : answer;
  }

  /** Closes the connections to all other upstreams. */
  keepOnly(targets: readonly PortTarget[]): void {
    const keys = new Set(targets.map(keyOf));
    for (const [key, connection] of [...this.#open]) if (!keys.has(key)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const connection of [...this.#open.values()]) connection.close();
    await Promise.all(this.#ended);
  }

  #find(target: PortTarget): Connection | null {
    const key = keyOf(target);
    const known = this.#open.get(key);
    if (known === undefined || !known.takesMore) return null;
    this.#open.delete(key);
    this.#open.set(key, known);
    return known;
  }

  #connect(target: PortTarget): Connection {
    const key = keyOf(target);
    const [longestAgo] = this.#open.values();
    if (this.#open.size >= MAX_CONNECTIONS) longestAgo?.close();
    const connection = new Connection(target, this.#idleMs, () => {
      if (this.#open.get(key) === connection) this.#open.delete(key);
    });
    this.#open.set(key, connection);
    const ended = connection.ended.finally(() => this.#ended.delete(ended));
    this.#ended.add(ended);
    return connection;
  }
}

interface Waiting {
  readonly query: Query;
  readonly sent: Uint8Array;
  /** `"closed"`: the connection ended before an answer came. */
  readonly resolve: (answer: TcpAnswer | "closed" | null) => void;
}

/** One connection. It ends when the upstream closes it, says nonsense, or nobody has asked for a while. */
class Connection {
  /** Over when everything it held is let go. */
  readonly ended: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #abort = new AbortController();
  readonly #idleMs: number;
  readonly #onClose: () => void;
  #conn: Deno.TcpConn | null = null;
  /** Writes follow one another, so that no message lies within another. */
  #writing: Promise<void>;
  #idle: ReturnType<typeof setTimeout> | null = null;
  #nextId = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
  /** A question on it came to nothing: whoever asks next had better have another. */
  #retired = false;

  constructor(target: PortTarget, idleMs: number, onClose: () => void) {
    this.#idleMs = idleMs;
    this.#onClose = onClose;
    this.#writing = this.#connect(target);
    this.ended = this.#writing.then(() => this.#receive());
  }

  get takesMore(): boolean {
    return !this.#retired && !this.#abort.signal.aborted && this.#waiting.size < MAX_WAITING;
  }

  /** @returns `"closed"` if the connection ended first, `null` once the signal has aborted. */
  ask(query: Query, sent: Uint8Array, signal: AbortSignal): Promise<TcpAnswer | "closed" | null> {
    const { promise, resolve } = Promise.withResolvers<TcpAnswer | "closed" | null>();
    if (signal.aborted) return Promise.resolve(null);
    const id = this.#takeId();
    const own = sent.slice();
    own[0] = id >> 8;
    own[1] = id;
    const onAbort = () => {
      this.#retired = true;
      this.#settle(id, null);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.set(id, {
      query,
      sent: own,
      resolve: (answer) => {
        signal.removeEventListener("abort", onAbort);
        resolve(answer);
      },
    });
    this.#stopIdling();
    this.#writing = this.#writing.then(() => this.#write(id, own));
    return promise;
  }

  /** Ends it at once; whoever waits is told. */
  close(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#stopIdling();
    this.#conn?.close();
    this.#onClose();
    for (const id of [...this.#waiting.keys()]) this.#settle(id, "closed");
  }

  async #connect({ hostname, endpoint }: PortTarget): Promise<void> {
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(OPEN_MS)]);
    try {
      const conn = await Deno.connect({ hostname, port: endpoint.port, signal });
      if (this.#abort.signal.aborted) conn.close();
      else this.#conn = conn;
    } catch {
      this.close(); // Refused, unreachable, or too late: those who wait see that it ended.
    }
  }

  async #write(id: number, message: Uint8Array): Promise<void> {
    if (!this.#waiting.has(id) || this.#conn === null) return;
    const framed = frameMessage(message);
    try {
      for (let at = 0; at < framed.length;) at += await this.#conn.write(framed.subarray(at));
    } catch {
      this.close();
    }
  }

  async #receive(): Promise<void> {
    const splitter = new FrameSplitter();
    const buffer = new Uint8Array(READ_BYTES);
    while (this.#conn !== null && !this.#abort.signal.aborted) {
      const count = await this.#conn.read(buffer).catch(() => null);
      const messages = count === null ? null : splitter.push(buffer.subarray(0, count));
      if (messages === null) break;
      for (const message of messages) this.#deliver(message);
    }
    this.close();
  }

  /** What nobody waits for came too late, or is noise. */
  #deliver(bytes: Uint8Array): void {
    const id = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const acceptance = acceptAnswer(bytes, waiting.sent, waiting.query);
    if (acceptance !== null) this.#settle(id, { bytes, acceptance });
  }

  #settle(id: number, answer: TcpAnswer | "closed" | null): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.resolve(answer);
    if (this.#waiting.size > 0 || this.#abort.signal.aborted) return;
    if (this.#retired) this.close();
    else this.#idle = setTimeout(() => this.close(), this.#idleMs);
  }

  #stopIdling(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }

  #takeId(): number {
    do this.#nextId = (this.#nextId + 1) & 0xffff; while (this.#waiting.has(this.#nextId));
    return this.#nextId;
  }
}

function keyOf({ endpoint }: PortTarget): string {
  return formatEndpoint(endpoint);
}
