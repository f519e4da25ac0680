/**
 * A TCP relay on loopback that stands before a server, for a test to make bad: silent as a stopped process is, slow and
 * lossy as a bad line, gone.
 *
 * @module
 */
import type { HostPort } from "../../lib/ip/mod.ts";

interface FrontOptions {
  /** Where it listens; 127.0.0.1 if not given. */
  readonly hostname?: string;
  /** How long bytes take each way. */
  readonly delayMs?: number;
  /** What part of the pieces comes late, as after a packet that was lost and sent again. */
  readonly loss?: number;
  /** How much later those come. */
  readonly resentMs?: number;
  /** Where chance begins. */
  readonly seed?: number;
}

/** A relay to one server. */
export class Front implements AsyncDisposable {
  /** Whom it leads to. */
  to: HostPort;
  readonly #options: FrontOptions;
  readonly #conns = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<void>>();
  #listener: Deno.TcpListener | null;
  readonly #host: string;
  readonly #port: number;
  /** Connections that lead nowhere any more. */
  #stranded: ReadonlySet<Deno.Conn> = new Set();
  readonly #over = Promise.withResolvers<void>();
  /** Resolved while it is well. */
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};
  #chance: number;
  /** Connections it has taken. */
  connections = 0;

  constructor(to: HostPort, options: FrontOptions = {}) {
    this.to = to;
    this.#options = options;
    this.#chance = options.seed ?? 1;
    this.#host = options.hostname ?? "127.0.0.1";
    this.#listener = Deno.listen({ hostname: this.#host, port: 0 });
    this.#port = this.#listener.addr.port;
    this.#keep(this.#serve(this.#listener));
  }

  get address(): HostPort {
    return { host: this.#host, port: this.#port };
  }

  /** Stops as SIGSTOP stops: the kernel takes connections and bytes, and nobody answers. */
  freeze(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.#open = resolve;
  }

  thaw(): void {
    this.#open();
    this.#gate = Promise.resolve();
  }

  /** Carries nothing more on the connections there are; new ones are well. */
  strand(): void {
    this.#stranded = new Set(this.#conns);
  }

  /** Ends every connection, and takes none any more. */
  vanish(): void {
    this.#listener?.close();
    this.#listener = null;
    for (const conn of [...this.#conns]) this.#end(conn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.vanish();
    this.thaw();
    this.#over.resolve();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  async #serve(listener: Deno.TcpListener): Promise<void> {
    for await (const conn of listener) {
      this.connections++;
      this.#conns.add(conn);
      this.#keep(this.#relay(conn));
    }
  }

  async #relay(conn: Deno.Conn): Promise<void> {
    await this.#gate;
    try {
      const { host: hostname, port } = this.to;
      const server = await Deno.connect({ hostname, port });
      server.setNoDelay(true);
      this.#conns.add(server);
      await Promise.all([this.#pump(conn, server), this.#pump(server, conn)]);
      this.#end(server);
    } catch {
      // Either end broke: so does the other.
    }
    this.#end(conn);
  }

  async #pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(16_384);
    let written = Promise.resolve();
    for (;;) {
      const count = await from.read(buffer);
      if (this.#stranded.has(from)) return await this.#over.promise;
      const bytes = count === null ? null : buffer.slice(0, count);
      const lateMs = this.#lateMs();
      const due = lateMs === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => setTimeout(resolve, lateMs));
      this.#keep(due);
      const gate = this.#gate;
      written = Promise.all([written, due, gate]).then(() => write(to, bytes));
      written.catch(() => this.#end(from));
      if (lateMs === 0) await written;
      if (bytes === null) return await written;
    }
  }

  #lateMs(): number {
    const { delayMs = 0, loss = 0, resentMs = 400 } = this.#options;
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) >>> 0;
    return delayMs + (this.#chance / 2 ** 32 < loss ? resentMs : 0);
  }

  #end(conn: Deno.Conn): void {
    this.#conns.delete(conn);
    try {
      conn.close();
    } catch {
      // It was closed already.
    }
  }

  #keep(work: Promise<void>): void {
    const kept = work.catch(() => {}).finally(() => this.#work.delete(kept));
    this.#work.add(kept);
  }
}

async function write(to: Deno.Conn, bytes: Uint8Array | null): Promise<void> {
  if (bytes === null) return await to.closeWrite();
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}
