/**
 * UDP source ports to ask upstream resolvers from: random, open for a moment, shared only under load.
 *
 * @module
 * @see RFC 5452 section 9.2
 */
import { type Endpoint, formatIp } from "../../ip/mod.ts";

/** So many questions may leave one port, and only in its first moments: then a fresh one is opened. */
const PORT_MAX_USES = 64;
const PORT_FRESH_MS = 20;
/** Beyond so many open ports, those there are take more questions, as dnsmasq does it. */
const MAX_PORTS = 64;
/** We say that we take 1232; a larger datagram is cut and then not accepted. */
const DATAGRAM_MAX_BYTES = 4096;
/** A socket that fails so often in a row is given up. */
const MAX_FAILURES = 16;

/** Where to send, with the address as the sockets write it. */
export interface PortTarget {
  readonly endpoint: Endpoint;
  readonly hostname: string;
}

/** Who waits for the datagrams that carry one message id. */
export interface PortListener {
  readonly target: PortTarget;
  /** A datagram from the target with the id. The bytes are the listener's own. */
  onDatagram(bytes: Uint8Array): void;
  /** The question could not be sent. */
  onSendError(): void;
}

/** A message id on a port, held until it is released. */
export interface PortLease {
  readonly id: number;
  /** Sends once; failing is told to the listener. */
  send(message: Uint8Array): void;
  release(): void;
}

/** Makes a target of an endpoint. */
export function portTarget(endpoint: Endpoint): PortTarget {
  return { endpoint, hostname: formatIp(endpoint.address) };
}

/** Every port that is open. */
export class SourcePorts implements AsyncDisposable {
  readonly #ports = new Set<SourcePort>();
  readonly #fresh = new Map<4 | 6, SourcePort>();
  readonly #ended = new Set<Promise<void>>();
  readonly #random = new RandomBytes();
  #closed = false;

  /**
   * Takes a random id on a random port.
   *
   * @returns `null` if no socket could be opened, as without the address family.
   */
  lease(listener: PortListener): PortLease | null {
    const port = this.#closed ? null : this.#portFor(listener.target.endpoint.address.family);
    return port === null ? null : port.lease(listener, this.#random);
  }

  /** Random bytes for a question's letter case; the caller's until the next call. */
  randomBytes(count: number): Uint8Array {
    return this.#random.take(count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const port of this.#ports) port.close();
    await Promise.all(this.#ended);
  }

  #portFor(family: 4 | 6): SourcePort | null {
    const known = this.#fresh.get(family);
    if (known !== undefined && known.isFresh(performance.now())) return known;
    if (this.#ports.size >= MAX_PORTS && known?.isOpen === true) return known;
    const port = SourcePort.open(family, performance.now(), () => this.#ports.delete(port!));
    if (port === null) return null;
    this.#ports.add(port);
    this.#fresh.set(family, port);
    const ended = port.ended.finally(() => this.#ended.delete(ended));
    this.#ended.add(ended);
    return port;
  }
}

/** One socket. It closes when nobody waits for anything on it any more. */
class SourcePort {
  readonly ended: Promise<void>;
  readonly #socket: Deno.DatagramConn;
  readonly #openedMs: number;
  readonly #onClose: () => void;
  readonly #waiting = new Map<number, PortListener>();
  #uses = 0;
  #open = true;

  private constructor(socket: Deno.DatagramConn, openedMs: number, onClose: () => void) {
    this.#socket = socket;
    this.#openedMs = openedMs;
    this.#onClose = onClose;
    this.ended = this.#receive();
  }

  static open(family: 4 | 6, nowMs: number, onClose: () => void): SourcePort | null {
    const hostname = family === 4 ? "0.0.0.0" : "::";
    try {
      const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
      return new SourcePort(socket, nowMs, onClose);
    } catch {
      return null; // No such address family, or out of descriptors: the question fails like any other.
    }
  }

  get isOpen(): boolean {
    return this.#open;
  }

  isFresh(nowMs: number): boolean {
    return this.#open && this.#uses < PORT_MAX_USES && nowMs - this.#openedMs < PORT_FRESH_MS;
  }

  lease(listener: PortListener, random: RandomBytes): PortLease {
    let id = random.uint16();
    while (this.#waiting.has(id)) id = random.uint16();
    this.#waiting.set(id, listener);
    this.#uses++;
    return {
      id,
      send: (message) => this.#send(message, listener),
      release: () => {
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) this.close();
      },
    };
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#onClose();
    this.#socket.close();
  }

  #send(message: Uint8Array, listener: PortListener): void {
    const { hostname, endpoint } = listener.target;
    this.#socket.send(message, { transport: "udp", hostname, port: endpoint.port })
      .catch(() => listener.onSendError());
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_MAX_BYTES);
    for (let failures = 0; this.#open && failures < MAX_FAILURES;) {
      try {
        const [bytes, from] = await this.#socket.receive(buffer);
        failures = 0;
        this.#deliver(bytes, from);
      } catch {
        failures++; // Closed, or an ICMP answer to something sent earlier.
      }
    }
    this.close();
  }

  /** What nobody waits for, or comes from elsewhere, is a stray or a forgery. */
  #deliver(bytes: Uint8Array, from: Deno.Addr): void {
    if (bytes.length < 12 || from.transport !== "udp") return;
    const listener = this.#waiting.get(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0));
    if (listener === undefined) return;
    const { hostname, endpoint } = listener.target;
    if (from.port === endpoint.port && from.hostname === hostname) {
      listener.onDatagram(bytes.slice());
    }
  }
}

/** Random bytes, fetched many at a time: a call for a few takes as long as one for a thousand. */
class RandomBytes {
  readonly #bytes = new Uint8Array(4096);
  #at = this.#bytes.length;

  take(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) {
      crypto.getRandomValues(this.#bytes);
      this.#at = 0;
    }
    return this.#bytes.subarray(this.#at, this.#at += count);
  }

  uint16(): number {
    const [high = 0, low = 0] = this.take(2);
    return (high << 8) | low;
  }
}
