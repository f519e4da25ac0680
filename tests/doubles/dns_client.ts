/**
 * A DNS client that sends the bytes it is given and hands back the bytes it gets.
 *
 * @module
 */
import { frameMessage, FrameSplitter } from "../../lib/dns/mod.ts";
import { type Endpoint, formatIp } from "../../lib/ip/mod.ts";

/** One UDP socket. */
export class UdpClient implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly #server: Endpoint;

  constructor(server: Endpoint) {
    this.#server = server;
    const hostname = server.address.family === 4 ? "127.0.0.1" : "::1";
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  }

  async send(message: Uint8Array): Promise<void> {
    const { address, port } = this.#server;
    await this.#socket.send(message, { transport: "udp", hostname: formatIp(address), port });
  }

  async receive(): Promise<Uint8Array> {
    const [message] = await this.#socket.receive(new Uint8Array(65_535));
    return message.slice();
  }

  async ask(message: Uint8Array): Promise<Uint8Array> {
    await this.send(message);
    return await this.receive();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** One TCP connection. */
export class TcpClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #splitter = new FrameSplitter();
  readonly #received: Uint8Array[] = [];

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(server: Endpoint): Promise<TcpClient> {
    const hostname = formatIp(server.address);
    return new TcpClient(await Deno.connect({ hostname, port: server.port }));
  }

  /** Sends messages in one write, each behind its length. */
  async send(...messages: readonly Uint8Array[]): Promise<void> {
    await this.write(Uint8Array.from(messages.flatMap((message) => [...frameMessage(message)])));
  }

  /** Sends bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** @returns The next message, or `null` when the server has closed or reset the connection. */
  async receive(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(65_535);
    while (this.#received.length === 0) {
      const count = await this.#conn.read(buffer).catch(() => null);
      if (count === null) return null;
      this.#received.push(...this.#splitter.push(buffer.subarray(0, count)) ?? []);
    }
    return this.#received.shift() ?? null;
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** Asks once over UDP. */
export async function askUdp(server: Endpoint, message: Uint8Array): Promise<Uint8Array> {
  using client = new UdpClient(server);
  return await client.ask(message);
}

/** Asks once over TCP. */
export async function askTcp(server: Endpoint, message: Uint8Array): Promise<Uint8Array> {
  using client = await TcpClient.connect(server);
  await client.send(message);
  const answer = await client.receive();
  if (answer === null) throw new Error("The server closed the connection");
  return answer;
}
