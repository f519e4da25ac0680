/**
 * A TCP server on a listening descriptor that somebody else opened, with a bound on its clients and their silence.
 *
 * @module
 * @see RFC 7766 section 6.2.3
 */
import net from "node:net";

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
  readonly #server: net.Server;
  /** Whoever was heard last stands last. */
  readonly #clients: Set<Connection>;

  private constructor(server: net.Server, clients: Set<Connection>) {
    this.#server = server;
    this.#clients = clients;
  }

  /** Serves a listening descriptor, which becomes the server's to close. */
  static async listen(fd: number, options: TcpServerOptions): Promise<TcpServer> {
    const clients = new Set<Connection>();
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new Connection(socket, options, clients);
      const [silent] = clients;
      if (clients.size > options.maxClients) silent?.destroy();
      void options.serve(connection).catch(() => {}).finally(() => socket.end());
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ fd }, resolve);
    await promise;
    return new TcpServer(server, clients);
  }

  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const client of this.#clients) client.destroy();
    return promise;
  }
}

/** A client among the others. */
class Connection implements TcpClient {
  readonly #socket: net.Socket;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #clients: Set<Connection>;
  readonly #messageMs: number;
  #messageTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(socket: net.Socket, options: TcpServerOptions, clients: Set<Connection>) {
    this.#socket = socket;
    this.#clients = clients;
    this.#messageMs = options.messageMs;
    // a client that has said everything still gets its answers
    this.#chunks = socket.iterator({ destroyOnReturn: false });
    clients.add(this);
    socket.once("close", () => {
      clients.delete(this);
      this.setPartial(false);
    });
    socket.on("error", () => this.destroy());
    socket.setTimeout(options.idleMs, () => this.destroy());
  }

  async read(): Promise<Uint8Array | null> {
    const next = await this.#chunks.next();
    if (next.done === true) return null;
    if (this.#clients.delete(this)) this.#clients.add(this);
    return next.value;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error == null ? resolve() : reject(error));
    });
  }

  setPartial(partial: boolean): void {
    if (partial && !this.#socket.destroyed) {
      this.#messageTimer ??= setTimeout(() => this.destroy(), this.#messageMs);
    } else if (this.#messageTimer !== null) {
      clearTimeout(this.#messageTimer);
      this.#messageTimer = null;
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
