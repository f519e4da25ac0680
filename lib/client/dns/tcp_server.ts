/**
 * A TCP server on a listening descriptor that somebody else opened, with a bound on its clients and their silence.
 *
 * @module
 * @see RFC 7766 section 6.2.3
 */
import type { Duplex } from "node:stream";
import type { Descriptor, Sockets } from "../../os/mod.ts";

/** One client's connection. */
export interface TcpClient {
  /** The next bytes, or `null` when the client is done or was silent for too long. */
  read(): Promise<Uint8Array | null>;
  /** Takes the bytes; returns once the system has. */
  write(bytes: Uint8Array): Promise<void>;
  /** Says whether the client has begun a message and not ended it, which it must do soon. */
  setPartial(partial: boolean): void;
}

export interface TcpServerOptions {
  /** One more, and the client that has been silent longest is sent away. */
  readonly maxClients: number;
  /** A client that says nothing for so long is sent away. */
  readonly idleMs: number;
  /** A message once begun must end within this time, however many bytes trickle in. */
  readonly messageMs: number;
  readonly serve: (client: TcpClient) => Promise<void>;
}

/** A running server; closing it closes its clients. */
export class TcpServer {
  readonly #server: { close(): Promise<void> };
  /** Whoever was heard last stands last. */
  readonly #clients: ReadonlySet<Connection>;

  private constructor(server: { close(): Promise<void> }, clients: ReadonlySet<Connection>) {
    this.#server = server;
    this.#clients = clients;
  }

  /** Serves a listening descriptor, which becomes the server's to close. */
  static async listen(
    sockets: Sockets,
    descriptor: Descriptor,
    options: TcpServerOptions,
  ): Promise<TcpServer> {
    const clients = new Set<Connection>();
    const server = await sockets.acceptStreams(descriptor, (stream) => {
      const connection = new Connection(stream, options, clients);
      const [silent] = clients;
      if (clients.size > options.maxClients) silent?.destroy();
      void options.serve(connection).catch(() => {}).finally(() => stream.end());
    });
    return new TcpServer(server, clients);
  }

  close(): Promise<void> {
    const closed = this.#server.close();
    for (const client of this.#clients) client.destroy();
    return closed;
  }
}

/** A client among the others. */
class Connection implements TcpClient {
  readonly #stream: Duplex;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #clients: Set<Connection>;
  readonly #options: TcpServerOptions;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #messageTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(stream: Duplex, options: TcpServerOptions, clients: Set<Connection>) {
    this.#stream = stream;
    this.#clients = clients;
    this.#options = options;
    // a client that has said everything still gets its answers
    this.#chunks = stream.iterator({ destroyOnReturn: false });
    clients.add(this);
    stream.once("close", () => {
      clients.delete(this);
      clearTimeout(this.#idleTimer);
      this.setPartial(false);
    });
    stream.on("error", () => this.destroy());
    this.#touch();
  }

  async read(): Promise<Uint8Array | null> {
    const next = await this.#chunks.next();
    if (next.done === true) return null;
    this.#touch();
    if (this.#clients.delete(this)) this.#clients.add(this);
    return next.value;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#touch();
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => error == null ? resolve() : reject(error));
    });
  }

  setPartial(partial: boolean): void {
    if (partial && !this.#stream.destroyed) {
      this.#messageTimer ??= setTimeout(() => this.destroy(), this.#options.messageMs);
    } else if (this.#messageTimer !== null) {
      clearTimeout(this.#messageTimer);
      this.#messageTimer = null;
    }
  }

  destroy(): void {
    this.#stream.destroy();
  }

  /** Something moved: its silence begins anew. */
  #touch(): void {
    clearTimeout(this.#idleTimer);
    if (this.#stream.destroyed) return;
    this.#idleTimer = setTimeout(() => this.destroy(), this.#options.idleMs);
  }
}
