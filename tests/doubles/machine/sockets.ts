/**
 * The sockets of a machine in memory, and what a test does at their other ends.
 *
 * @module
 */
import { type Duplex, duplexPair } from "node:stream";
import { OsError } from "../../../lib/error.ts";
import { type Endpoint, formatEndpoint, type IpAddress } from "../../../lib/ip/mod.ts";
import type {
  Connection,
  DatagramSocket,
  Descriptor,
  FlowListener,
  LocalConn,
  MessageSocket,
  SocketHolder,
  SocketOwner,
  Sockets,
} from "../../../lib/os/mod.ts";
import { BoundUdp, MemoryAnswers, MemoryDatagrams } from "./datagrams.ts";
import { Descriptors, type Thing } from "./descriptors.ts";
import { MemoryMessages, MessageEnd } from "./messages.ts";
import { Queue } from "./queue.ts";

const FIRST_FREE_PORT = 30_000;

/** A listening TCP socket. */
class ListeningTcp implements Thing {
  readonly what: string;
  readonly endpoint: Endpoint;
  readonly #onEnd: () => void;
  onStream: ((stream: Duplex) => void) | null = null;

  constructor(endpoint: Endpoint, onEnd: () => void) {
    this.endpoint = endpoint;
    this.what = `tcp ${formatEndpoint(endpoint)}`;
    this.#onEnd = onEnd;
  }

  end(): void {
    this.#onEnd();
  }
}

/** Every socket of the machine. */
export class MemorySockets implements Sockets {
  readonly descriptors = new Descriptors();
  readonly #udp = new Map<string, BoundUdp>();
  readonly #tcp = new Map<string, ListeningTcp>();
  readonly #flowListeners = new Map<number, MemoryFlowListener>();
  readonly #messageServers = new Map<string, (client: MessageSocket) => void>();
  #nextPort = FIRST_FREE_PORT;

  /** Whose local connections are. */
  owner: SocketOwner | null = null;

  /** The processes that have sockets, by inode. */
  readonly holders = new Map<number, SocketHolder>();

  close(descriptor: Descriptor): void {
    this.descriptors.close(descriptor);
  }

  ownerOf(): SocketOwner | null {
    return this.owner;
  }

  /** Connections whose other end does not acknowledge. */
  readonly silent: Connection[] = [];

  unheard(): readonly Connection[] {
    return this.silent;
  }

  holdersOf(inodes: readonly number[]): Promise<ReadonlyMap<number, SocketHolder>> {
    return Promise.resolve(
      new Map([...this.holders].filter(([inode]) => inodes.includes(inode))),
    );
  }

  messagePair(): readonly [Descriptor, Descriptor] {
    const [near, far] = MessageEnd.pair(this.descriptors);
    return [this.descriptors.add(near), this.descriptors.add(far)];
  }

  adoptMessages(descriptor: Descriptor): MessageSocket {
    return new MemoryMessages(this.descriptors, descriptor);
  }

  inheritMessages(descriptor: Descriptor): MessageSocket {
    return this.adoptMessages(descriptor);
  }

  connectMessages(path: string): MessageSocket {
    const serve = this.#messageServers.get(path);
    if (serve === undefined) {
      throw new OsError("socket-connect-failed", `Cannot connect to "${path}": nobody is there`, {
        call: "connect",
        errno: "ENOENT",
      });
    }
    const [near, far] = this.messagePair();
    serve(this.adoptMessages(far));
    return this.adoptMessages(near);
  }

  /** Has somebody listen at a path. */
  serveMessages(path: string, serve: (client: MessageSocket) => void): void {
    this.#messageServers.set(path, serve);
  }

  listenTcp(wanted: Endpoint): Descriptor {
    const endpoint = this.#freeEndpoint(wanted, this.#tcp);
    const key = formatEndpoint(endpoint);
    const listening = new ListeningTcp(endpoint, () => this.#tcp.delete(key));
    this.#tcp.set(key, listening);
    return this.descriptors.add(listening);
  }

  /** Binds a UDP socket to give away. */
  listenUdp(wanted: Endpoint): Descriptor {
    const endpoint = this.#freeEndpoint(wanted, this.#udp);
    const key = formatEndpoint(endpoint);
    const bound = new BoundUdp(endpoint, () => this.#udp.delete(key));
    this.#udp.set(key, bound);
    return this.descriptors.add(bound);
  }

  localEndpoint(descriptor: Descriptor): Endpoint {
    const thing = this.descriptors.find(descriptor);
    if (thing instanceof BoundUdp || thing instanceof ListeningTcp) return thing.endpoint;
    throw new TypeError(`Cannot tell where ${thing.what} is bound`);
  }

  bindUdp(endpoint: Endpoint): DatagramSocket {
    return this.adoptUdp(this.listenUdp(endpoint));
  }

  adoptUdp(descriptor: Descriptor): DatagramSocket {
    return new MemoryDatagrams(this.descriptors, descriptor);
  }

  answers(): MemoryAnswers {
    return new MemoryAnswers();
  }

  acceptStreams(
    descriptor: Descriptor,
    onStream: (stream: Duplex) => void,
  ): Promise<{ close(): Promise<void> }> {
    const listening = this.descriptors.get(descriptor, ListeningTcp);
    const open = new Set<Promise<void>>();
    listening.onStream = (stream) => {
      const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
      open.add(closed);
      void closed.then(() => open.delete(closed));
      onStream(stream);
    };
    const close = async () => {
      this.descriptors.close(descriptor);
      await Promise.all(open);
    };
    return Promise.resolve({ close });
  }

  listenFlows(address: IpAddress): FlowListener {
    const endpoint = { address, port: this.#nextPort++ };
    const listener = new MemoryFlowListener(
      endpoint,
      this.descriptors,
      () => this.#flowListeners.delete(endpoint.port),
    );
    this.#flowListeners.set(endpoint.port, listener);
    return listener;
  }

  adoptFlows(descriptor: Descriptor): Promise<FlowListener> {
    const { endpoint } = this.descriptors.get(descriptor, ListeningTcp);
    const close = () => this.#flowListeners.delete(endpoint.port);
    const listener = new MemoryFlowListener(endpoint, this.descriptors, close);
    this.#flowListeners.set(endpoint.port, listener);
    this.descriptors.close(descriptor);
    return Promise.resolve(listener);
  }

  openDiag(): Descriptor {
    return this.descriptors.add({ what: "diag" });
  }

  /** Hands a connection to the listener of a port. @returns False if there is none. */
  offerFlow(port: number, conn: LocalConn): boolean {
    const listener = this.#flowListeners.get(port);
    listener?.offer(conn);
    return listener !== undefined;
  }

  /** Sends a datagram, and waits for what comes back. @throws OsError errno `ECONNREFUSED` where nobody listens */
  async ask(server: Endpoint, query: Uint8Array): Promise<Uint8Array> {
    const bound = this.#udp.get(formatEndpoint(server));
    if (bound === undefined) throw refusedError(server);
    return await bound.ask(query);
  }

  /** Connects over TCP. @throws OsError errno `ECONNREFUSED` where nobody accepts */
  connectTcp(server: Endpoint): Duplex {
    const onStream = this.#tcp.get(formatEndpoint(server))?.onStream ?? null;
    if (onStream === null) throw refusedError(server);
    const [near, far] = duplexPair({ allowHalfOpen: true });
    onStream(far);
    return near;
  }

  #freeEndpoint({ address, port }: Endpoint, taken: ReadonlyMap<string, unknown>): Endpoint {
    const endpoint = { address, port: port === 0 ? this.#nextPort++ : port };
    const text = formatEndpoint(endpoint);
    if (!taken.has(text)) return endpoint;
    throw new OsError("socket-busy", `Cannot listen on ${text}: the address is in use`, {
      call: "bind",
      errno: "EADDRINUSE",
    });
  }
}

/** Where released connections arrive. */
class MemoryFlowListener implements FlowListener, Thing {
  readonly what: string;
  readonly port: number;
  readonly descriptor: Descriptor;
  readonly #descriptors: Descriptors;
  readonly #offered = new Queue<LocalConn>();
  readonly #onEnd: () => void;

  constructor(endpoint: Endpoint, descriptors: Descriptors, onEnd: () => void) {
    this.what = `flows ${formatEndpoint(endpoint)}`;
    this.port = endpoint.port;
    this.#descriptors = descriptors;
    this.#onEnd = onEnd;
    this.descriptor = descriptors.add(this);
  }

  offer(conn: LocalConn): void {
    this.#offered.put(conn);
  }

  async accept(): Promise<LocalConn> {
    const conn = await this.#offered.take();
    if (conn === null) throw new Deno.errors.BadResource("Bad resource ID");
    return conn;
  }

  close(): void {
    if (this.#offered.ended) return;
    this.#offered.end();
    for (const conn of this.#offered.takeNow()) conn.close();
    this.#descriptors.close(this.descriptor);
  }

  end(): void {
    this.#onEnd();
  }
}

function refusedError(server: Endpoint): OsError {
  const text = formatEndpoint(server);
  return new OsError("socket-connect-failed", `Cannot reach ${text}: nobody listens there`, {
    call: "connect",
    errno: "ECONNREFUSED",
  });
}
