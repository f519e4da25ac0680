/**
 * Connections in memory, each half closed on its own.
 *
 * @module
 */
import type { Endpoint } from "../../../lib/ip/mod.ts";
import type { LocalConn } from "../../../lib/os/mod.ts";
import { Queue } from "./queue.ts";

/** Makes two ends of a connection; each knows where the other is. */
export function connPair(near: Endpoint, far: Endpoint): [LocalConn, LocalConn] {
  const forth = new Queue<Uint8Array>();
  const back = new Queue<Uint8Array>();
  return [new MemoryConn(far, back, forth), new MemoryConn(near, forth, back)];
}

class MemoryConn implements LocalConn {
  readonly remote: Endpoint;
  readonly #in: Queue<Uint8Array>;
  readonly #out: Queue<Uint8Array>;
  readonly #closing = new AbortController();

  constructor(remote: Endpoint, from: Queue<Uint8Array>, to: Queue<Uint8Array>) {
    this.remote = remote;
    this.#in = from;
    this.#out = to;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const chunk = await this.#in.take(this.#closing.signal).catch(() => {
      throw new Deno.errors.BadResource("Bad resource ID");
    });
    if (chunk === null) return null;
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count < chunk.length) this.#in.putBack(chunk.subarray(count));
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#out.ended) return Promise.reject(new Deno.errors.BrokenPipe("Broken pipe"));
    if (bytes.length > 0) this.#out.put(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  /** The other end may write no more, and has read all it will. */
  close(): void {
    this.#closing.abort();
    this.#out.end();
    this.#in.end();
  }
}
