import type { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { closeQuietly, writeAll } from "./stream.ts";

const PIECE_BYTES = 16_384;

/** A Deno connection as the stream that Node's TLS and HTTP want, with back pressure. Owns the connection. */
export class ConnStream extends Duplex {
  readonly #conn: Deno.Conn;
  /** Bytes that moved, either way. */
  #moved = 0;
  #isReading = false;
  #firstBytes: Uint8Array | null;

  /** @param firstBytes What was read from it before. */
  constructor(conn: Deno.Conn, firstBytes: Uint8Array = new Uint8Array()) {
    super({ allowHalfOpen: true });
    this.#conn = conn;
    this.#firstBytes = firstBytes.length > 0 ? firstBytes : null;
  }

  /** Ends it once nothing moves for this long; the timer ends with it. */
  endWhenIdle(ms: number): void {
    let seen = -1;
    const timer = setInterval(() => {
      if (this.#moved === seen) this.destroy();
      seen = this.#moved;
    }, ms);
    this.once("close", () => clearInterval(timer));
  }

  override _read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const firstBytes = this.#firstBytes;
    if (firstBytes !== null) {
      this.#firstBytes = null;
      // Not before a TLS session above has begun: Deno 2.9.5 throws where nobody can catch it, if that fails at once
      setTimeout(() => this.#deliver(firstBytes));
      return;
    }
    const piece = new Uint8Array(PIECE_BYTES);
    this.#conn.read(piece).then(
      (count) => this.#deliver(count === null ? null : piece.subarray(0, count)),
      (error) => this.destroy(error),
    );
  }

  override _write(bytes: Buffer, _encoding: unknown, done: (error?: Error | null) => void): void {
    writeAll(this.#conn, bytes).then(() => {
      this.#moved += bytes.length;
      done();
    }, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    // Gone already: reading says so
    this.#conn.closeWrite().then(() => done(), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    closeQuietly(this.#conn);
    done(error);
  }

  #deliver(bytes: Uint8Array | null): void {
    this.#isReading = false;
    this.#moved += bytes?.length ?? 0;
    this.push(bytes);
  }
}
