import type { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { lowestSession } from "./tls.ts";

/** A pair of byte streams, one each way. One read at a time; writes are kept in order. */
export interface ByteStream {
  /** @returns The next bytes, the caller's to keep; `null` at the end. Rejects when the stream broke. */
  read(): Promise<Uint8Array | null>;
  /** Resolves when the bytes have left; until then they must not change. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends both ways at once. */
  close(): void;
}

/** What waits to be read before the socket is told to stop, and to go on. */
const HIGH_WATER_BYTES = 262_144;
const LOW_WATER_BYTES = 65_536;

/** The half of a TLS socket's native handle that its TCP connection is; only the lowest of nested sessions has one. */
interface NativeHandle {
  readStart(): void;
  readStop(): void;
}

/**
 * A TLS session as a byte stream, with back pressure.
 *
 * `TLSSocket.pause()` of Deno 2.9.5 stops handing bytes out but not taking them in: a slow reader would collect
 * all that a fast peer sends. So the TCP connection below is stopped instead.
 */
export class TlsStream implements ByteStream {
  readonly socket: TLSSocket;
  readonly #queue: Uint8Array[] = [];
  readonly #writing = new Set<(error: Error) => void>();
  readonly #closed = Promise.withResolvers<void>();
  #queuedBytes = 0;
  #stopped = false;
  #ended = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("end", () => this.#end(null));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => {
      this.#end(null);
      const error = this.#failure ?? new Error("The connection is closed");
      for (const reject of this.#writing) reject(error);
      this.#writing.clear();
      this.#closed.resolve();
    });
    if (socket.destroyed) this.#end(new Error("The connection is closed"));
  }

  /** Resolves when nothing of the connection is left. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Bytes that were received and not read yet; bounded while the peer obeys TCP. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  async read(): Promise<Uint8Array | null> {
    while (this.#queue.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const bytes = this.#queue.shift() ?? null;
    this.#queuedBytes -= bytes?.length ?? 0;
    if (this.#stopped && this.#queuedBytes <= LOW_WATER_BYTES) {
      this.#stopped = false;
      nativeHandle(this.socket)?.readStart();
    }
    return bytes;
  }

  write(bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.socket.destroyed) {
      reject(this.#failure ?? new Error("The connection is closed"));
      return promise;
    }
    this.#writing.add(reject);
    this.socket.write(bytes, (error) => {
      this.#writing.delete(reject);
      if (error) reject(error);
      else resolve();
    });
    return promise;
  }

  /** Says goodbye once everything written has left, then closes. */
  end(): void {
    this.socket.end();
    this.socket.once("finish", () => this.socket.destroy());
  }

  close(): void {
    this.#end(null);
    this.socket.destroy();
  }

  #take(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.#stopped && this.#queuedBytes > HIGH_WATER_BYTES) {
      this.#stopped = true;
      nativeHandle(this.socket)?.readStop();
    }
    this.#notify();
  }

  #end(failure: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/** @returns `null` once the socket is closed. */
function nativeHandle(socket: TLSSocket): NativeHandle | null {
  const { _handle } = lowestSession(socket) as unknown as {
    readonly _handle?: { readonly _nativeTcpHandle?: NativeHandle } | null;
  };
  return _handle?._nativeTcpHandle ?? null;
}

/** Writes all of the bytes. */
export async function writeAll(
  conn: Pick<Deno.Conn, "write">,
  bytes: Uint8Array,
): Promise<void> {
  let written = await conn.write(bytes);
  while (written < bytes.length) written += await conn.write(bytes.subarray(written));
}

/** Closes, whether it is open still or not. */
export function closeQuietly(closer: { close(): void }): void {
  try {
    closer.close();
  } catch {
    // it was closed already
  }
}
