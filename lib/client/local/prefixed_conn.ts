import type { FlowConn } from "../cluster/driver.ts";

/** A connection of which some bytes were read already, and are read again first. */
export class PrefixedConn implements FlowConn {
  readonly #conn: FlowConn;
  #prefix: Uint8Array;

  constructor(conn: FlowConn, prefix: Uint8Array) {
    this.#conn = conn;
    this.#prefix = prefix;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#prefix.length === 0) return this.#conn.read(into);
    const count = Math.min(this.#prefix.length, into.length);
    into.set(this.#prefix.subarray(0, count));
    this.#prefix = this.#prefix.subarray(count);
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}
