/**
 * A TCP server on a listening descriptor that somebody else opened, with a bound on its clients and their silence.
 *
 * @module
 */
import net from "node:net";

/** One client's connection. */
export interface TcpClient {
  /** The next bytes, or `null` when the client is done or was silent for too long. */
  read(): Promise<Uint8Array | null>;
  write(bytes: Uint8Array): Promise<void>;
}

export interface TcpServerOptions {
  readonly maxClients: number;
  /** A client that says nothing for so long is sent away. */
  readonly idleMs: number;
  readonly serve: (client: TcpClient) => Promise<void>;
}

/** A running server; closing it closes its clients. */
export class TcpServer {
  readonly #server: net.Server;
  readonly #clients = new Set<net.Socket>();

  private constructor(server: net.Server, clients: Set<net.Socket>) {
    this.#server = server;
    this.#clients = clients;
  }

  /** Serves a listening descriptor, which becomes the server's to close. */
  static async listen(fd: number, options: TcpServerOptions): Promise<TcpServer> {
    const clients = new Set<net.Socket>();
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      clients.add(socket);
      socket.once("close", () => clients.delete(socket));
      socket.on("error", () => socket.destroy());
      socket.setTimeout(options.idleMs, () => socket.destroy());
      void options.serve(clientOf(socket)).catch(() => {}).finally(() => socket.end());
    });
    server.maxConnections = options.maxClients;
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

function clientOf(socket: net.Socket): TcpClient {
  const chunks = socket[Symbol.asyncIterator]();
  return {
    read: async () => {
      const next = await chunks.next();
      return next.done === true ? null : next.value;
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => error == null ? resolve() : reject(error));
      }),
  };
}
