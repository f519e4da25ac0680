import { encodeFrame, type Frame, FRAME_HEADER_BYTES } from "../tunnel/mod.ts";
import { type CarrierLink, type FrameReceiver, violation } from "./carrier_link.ts";
import { closeQuietly, writeAll } from "./stream.ts";

/** How a flow ended. */
export type FlowEnd =
  /** Both sides said `fin`; the carrier can be used again. */
  | "done"
  /** The program at this end broke its connection. */
  | "local-reset"
  /** The other end broke the flow. */
  | "peer-reset"
  /** The TLS session was lost. */
  | "carrier-lost"
  | "aborted";

/** What a flow has done, seen from this end. */
export interface FlowSummary {
  /** From the local connection to the peer. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly reason: FlowEnd;
}

/** A flow while it runs. */
export interface LiveFlow {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Gives the flow up; the carrier goes with it. */
  abort(): void;
}

/** A read buffer starts small, because most flows are, and grows when it was filled. */
const SMALL_BUFFER_BYTES = 4096;
/** One TLS write of at most this is encrypted without a copy of its tail (rustls buffers 64 KiB). */
const LARGE_BUFFER_BYTES = 65_536;

/**
 * One flow on a carrier, from `ok` to both `fin`s. Bytes that come before {@link splice} wait in the TCP connection
 * below, as does everything that the local connection does not take.
 */
export class Flow implements FrameReceiver, LiveFlow {
  readonly #link: CarrierLink;
  readonly #conn = Promise.withResolvers<Deno.Conn>();
  readonly #ended = Promise.withResolvers<FlowEnd>();
  readonly #onDone: () => void;
  #sentBytes = 0;
  #receivedBytes = 0;
  #finSent = false;
  #finReceived = false;
  #end: FlowEnd | null = null;

  /** @param onDone Takes the carrier back before its next frame is looked at; not called if it was lost. */
  constructor(link: CarrierLink, onDone: () => void) {
    this.#link = link;
    this.#onDone = onDone;
    this.#conn.promise.catch(() => {}); // told by the end as well
    link.receiver = this;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /**
   * Carries bytes both ways until both are at their end, keeping half-closes, and closes the connection.
   * Never rejects: how it went is in the summary.
   */
  async splice(conn: Deno.Conn, signal: AbortSignal): Promise<FlowSummary> {
    const abort = () => this.abort();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#conn.resolve(conn);
    const sending = this.#sendAll(conn);
    const reason = await this.#ended.promise;
    signal.removeEventListener("abort", abort);
    closeQuietly(conn);
    await sending;
    return { sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes, reason };
  }

  abort(): void {
    this.#break("aborted");
  }

  async receive(frame: Frame): Promise<void> {
    if (this.#end !== null || (this.#finReceived && frame.type !== "reset")) {
      return this.#link.close(violation(`"${frame.type}" after the end of a flow`));
    }
    switch (frame.type) {
      case "data":
        return await this.#deliver(frame.payload);
      case "fin":
        return await this.#endReceiving();
      case "reset":
        this.#finish("peer-reset");
        return this.#link.close();
      default:
        return this.#link.close(violation(`"${frame.type}" within a flow`));
    }
  }

  lost(): void {
    this.#finish("carrier-lost");
  }

  async #sendAll(conn: Deno.Conn): Promise<void> {
    // Two buffers: one is filled while the other leaves.
    let filling = new Uint8Array(SMALL_BUFFER_BYTES);
    let other: Uint8Array<ArrayBuffer> | null = null;
    let leaving: Promise<void> | null = null;
    try {
      for (;;) {
        const count = await conn.read(filling.subarray(FRAME_HEADER_BYTES));
        if (leaving !== null) await leaving;
        if (this.#end !== null) return;
        if (count === null) break;
        leaving = this.#link.sendData(filling, count);
        leaving.catch(() => {}); // awaited after the next read; until then it is nobody's
        this.#sentBytes += count;
        const grow = count === filling.length - FRAME_HEADER_BYTES;
        const next: Uint8Array<ArrayBuffer> = other ?? new Uint8Array(SMALL_BUFFER_BYTES);
        other = filling;
        filling = grow && next.length < LARGE_BUFFER_BYTES
          ? new Uint8Array(LARGE_BUFFER_BYTES)
          : next;
      }
      this.#finSent = true;
      await this.#link.send(encodeFrame("fin"));
      if (this.#finReceived) this.#finish("done");
    } catch {
      this.#break(this.#link.isOpen ? "local-reset" : "carrier-lost");
    }
  }

  async #deliver(payload: Uint8Array): Promise<void> {
    try {
      await writeAll(await this.#conn.promise, payload);
      this.#receivedBytes += payload.length;
    } catch {
      this.#break("local-reset");
    }
  }

  async #endReceiving(): Promise<void> {
    try {
      const conn = await this.#conn.promise;
      this.#finReceived = true;
      await conn.closeWrite();
    } catch {
      // the program has closed already, and will be read to its end
    }
    if (this.#finSent && this.#finReceived) this.#finish("done");
  }

  #break(reason: FlowEnd): void {
    if (this.#end !== null) return;
    this.#finish(reason);
    if (!this.#link.isOpen) return;
    this.#link.send(encodeFrame("reset")).catch(() => {}).finally(() => this.#link.close());
  }

  #finish(reason: FlowEnd): void {
    if (this.#end !== null) return;
    this.#end = reason;
    if (reason === "done") this.#onDone();
    else this.#conn.reject(new Error("The flow is over"));
    this.#ended.resolve(reason);
  }
}
