/**
 * A port of this machine's own loopback that only its owner's programs may use.
 *
 * @module
 */
import { UsageError } from "../../error.ts";
import { decideLocal, type LocalPolicy } from "../../identity/mod.ts";
import { closeQuietly } from "../../io/mod.ts";
import {
  contains,
  type Endpoint,
  formatEndpoint,
  formatIp,
  parseIp,
  parsePrefix,
} from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import type { Sockets } from "../../os/mod.ts";
import { pause } from "../../wait.ts";
import { Strangers } from "../flows/strangers.ts";

const log = getLogger("client", "local");

const MAX_CONNECTIONS = 1024;
const ACCEPT_RETRY_MS = 100;
const LOOPBACK = [parsePrefix("127.0.0.0/8"), parsePrefix("::1/128")];

interface LocalPortOptions {
  /** Port 0 takes any that is free. */
  readonly endpoint: Endpoint;
  /** Whose programs may connect. */
  readonly policy: LocalPolicy;
  readonly sockets: Pick<Sockets, "ownerOf">;
  readonly nowMs: () => number;
  /** Serves one connection, which is closed after it. */
  readonly onConn: (conn: Deno.TcpConn, signal: AbortSignal) => Promise<void>;
  /** Told of every connection that failed, with what `onConn` threw. */
  readonly onFailure: (from: Endpoint, thrown: unknown) => void;
}

/** A listening port. */
export class LocalPort implements AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly #options: LocalPortOptions;
  readonly #listener: Deno.TcpListener;
  readonly #closing = new AbortController();
  readonly #serving = new Set<Promise<void>>();
  readonly #strangers = new Strangers(() => Promise.resolve(null));
  readonly #running: Promise<void>;

  private constructor(listener: Deno.TcpListener, options: LocalPortOptions) {
    this.#listener = listener;
    this.#options = options;
    this.endpoint = endpointOf(listener.addr);
    this.#running = this.#acceptAll();
  }

  /** @throws UsageError `usage` for an address beyond the loopback, `address-in-use`, `address-unavailable` */
  static open(options: LocalPortOptions): LocalPort {
    const { address, port } = options.endpoint;
    const what = `Cannot listen on ${formatEndpoint(options.endpoint)}`;
    if (!LOOPBACK.some((prefix) => contains(prefix, address))) {
      throw new UsageError("usage", `${what}: only this machine may connect`, {
        hint: "Use an address of the loopback, such as 127.0.0.1:0",
      });
    }
    try {
      return new LocalPort(Deno.listen({ hostname: formatIp(address), port }), options);
    } catch (thrown) {
      if (thrown instanceof Deno.errors.AddrInUse) {
        throw new UsageError("address-in-use", `${what}: another program listens there`, {
          hint: "Choose another port; port 0 takes one that is free",
          cause: thrown,
        });
      }
      if (!(thrown instanceof Error)) throw thrown;
      throw new UsageError("address-unavailable", `${what}: ${thrown.message}`, {
        hint: "Use 127.0.0.1:0; a port below 1024 needs root",
        cause: thrown,
      });
    }
  }

  /** Ends every connection, and accepts no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    closeQuietly(this.#listener);
    await this.#running;
    await Promise.all(this.#serving);
  }

  async #acceptAll(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const conn = await this.#listener.accept();
        this.#serve(conn);
      } catch (thrown) {
        if (signal.aborted || thrown instanceof Deno.errors.BadResource) return;
        log.warning("Cannot accept a connection", { error: String(thrown) });
        await pause(ACCEPT_RETRY_MS, signal);
      }
      // More wait in the backlog.
      if (this.#serving.size >= MAX_CONNECTIONS) await Promise.race(this.#serving);
    }
  }

  #serve(conn: Deno.TcpConn): void {
    const work = this.#decide(conn)
      .catch((thrown) => {
        if (this.#closing.signal.aborted) return;
        this.#options.onFailure(endpointOf(conn.remoteAddr), thrown);
      })
      .finally(() => {
        closeQuietly(conn);
        this.#serving.delete(work);
      });
    this.#serving.add(work);
  }

  async #decide(conn: Deno.TcpConn): Promise<void> {
    const { sockets, policy, nowMs, onConn } = this.#options;
    const [source, destination] = [endpointOf(conn.remoteAddr), endpointOf(conn.localAddr)];
    const owner = sockets.ownerOf({ source, destination });
    const uid = owner?.uid ?? null;
    if (decideLocal(policy, uid) === "allowed") return await onConn(conn, this.#closing.signal);
    const inode = owner?.inode ?? 0;
    await this.#strangers.meet({ id: 0n, uid, source, destination, inode }, nowMs());
  }
}

function endpointOf({ hostname, port }: Deno.NetAddr): Endpoint {
  return { address: parseIp(hostname), port };
}
