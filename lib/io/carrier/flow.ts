import { decodeJson, encodeJsonFrame, type Frame, FRAME_HEADER_BYTES } from "../../tunnel/mod.ts";
import { CarrierResetSchema } from "../../wire/mod.ts";
import { type CarrierLink, type FrameReceiver, violation } from "./link.ts";
import { closeQuietly, writeAll } from "../stream.ts";

/** What a flow needs of the connection that it carries. */
export type FlowConn = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/** How a flow ended. */
type FlowEnd =
  /** Both sides said `fin`. */
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
  /** Why the other end broke it; absent if it did not, or did not say. */
  readonly code?: string;
}

/** A flow while it runs. */
export interface LiveFlow {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Gives the flow up; the carrier goes with it. @param code Why, for the other end. */
  abort(code?: string): void;
}

/** A read buffer starts small, because most flows are, and grows when it was filled. */
const SMALL_BUFFER_BYTES = 4096;
/** One TLS write of at most this is encrypted without a copy of its tail (rustls buffers 64 KiB). */
const LARGE_BUFFER_BYTES = 65_536;

/** What a write learns that waited for a connection that never came. */
const OVER = new Error("The flow is over");

/** The peer ends its way within this time after a reset, or the carrier is given up. */
const DRAIN_MS = 10_000;

/**
 * One flow on a carrier, from `ok` until each side has ended its way by `fin` or `reset`. Bytes that come before
 * {@link splice} wait in the TCP connection below, as does everything that the local connection does not take.
 *
 * A `reset` ends both ways: whoever gets one answers with one, unless it had ended its way already. So the carrier
 * is clean after a broken flow as well, and can be used again.
 */
export class Flow implements FrameReceiver, LiveFlow {
  readonly #link: CarrierLink;
  readonly #conn = Promise.withResolvers<FlowConn>();
  readonly #over = Promise.withResolvers<FlowEnd>();
  readonly #onDone: () => void;
  readonly #saysWhy: boolean;
  #attached: FlowConn | null = null;
  #sentBytes = 0;
  #receivedBytes = 0;
  #isOutEnded = false;
  #isInEnded = false;
  #isSettled = false;
  #end: FlowEnd | null = null;
  #code: string | undefined;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param onDone Takes the carrier back before its next frame is looked at; not called if it was lost.
   * @param saysWhy Whether the other end can read a `reset` that says why.
   */
  constructor(link: CarrierLink, onDone: () => void, saysWhy = false) {
    this.#link = link;
    this.#onDone = onDone;
    this.#saysWhy = saysWhy;
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
  async splice(conn: FlowConn, signal: AbortSignal): Promise<FlowSummary> {
    this.#attached = conn;
    if (this.#end !== null) closeQuietly(conn);
    const abort = () => this.abort();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#conn.resolve(conn);
    const sending = this.#sendAll(conn);
    const reason = await this.#over.promise;
    signal.removeEventListener("abort", abort);
    closeQuietly(conn);
    await sending;
    const counts = { sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes };
    return { ...counts, reason, ...(this.#code === undefined ? {} : { code: this.#code }) };
  }

  abort(code?: string): void {
    this.#break("aborted", code);
  }

  async receive(frame: Frame): Promise<void> {
    if (this.#isInEnded) {
      return this.#link.close(violation(`"${frame.type}" after the end of a flow`));
    }
    switch (frame.type) {
      case "data":
        return await this.#deliver(frame.payload);
      case "fin":
        return await this.#endIn();
      case "reset":
        this.#isInEnded = true;
        if (this.#end === null) this.#code = decodeJson(CarrierResetSchema, frame.payload)?.code;
        return this.#break("peer-reset");
      default:
        return this.#link.close(violation(`"${frame.type}" within a flow`));
    }
  }

  lost(): void {
    clearTimeout(this.#drainTimer);
    this.#finish("carrier-lost");
  }

  async #sendAll(conn: FlowConn): Promise<void> {
    // Two buffers: one is filled while the other leaves.
    let filling = new Uint8Array(SMALL_BUFFER_BYTES);
    let other: Uint8Array<ArrayBuffer> | null = null;
    let leaving: Promise<void> | null = null;
    try {
      for (;;) {
        const count = await conn.read(filling.subarray(FRAME_HEADER_BYTES));
        if (leaving !== null) await leaving;
        if (this.#isOutEnded) return;
        if (count === null) break;
        leaving = this.#link.sendData(filling, count);
        leaving.catch(() => {}); // awaited after the next read; until then it is nobody's
        this.#sentBytes += count;
        const isFull = count === filling.length - FRAME_HEADER_BYTES;
        const next: Uint8Array<ArrayBuffer> = other ?? new Uint8Array(SMALL_BUFFER_BYTES);
        other = filling;
        filling = isFull && next.length < LARGE_BUFFER_BYTES
          ? new Uint8Array(LARGE_BUFFER_BYTES)
          : next;
      }
      this.#endOut("fin");
    } catch {
      this.#break("local-reset");
    }
  }

  async #deliver(payload: Uint8Array): Promise<void> {
    if (this.#end !== null) return; // on its way when the flow broke
    try {
      await writeAll(await this.#conn.promise, payload);
      this.#receivedBytes += payload.length;
    } catch {
      this.#break("local-reset");
    }
  }

  async #endIn(): Promise<void> {
    try {
      const conn = await this.#conn.promise;
      await conn.closeWrite();
    } catch {
      // the program has closed already, and will be read to its end
    }
    this.#isInEnded = true;
    this.#settle();
  }

  #endOut(type: "fin" | "reset", code?: string): void {
    if (this.#isOutEnded) return;
    this.#isOutEnded = true;
    if (code === undefined || !this.#saysWhy) this.#link.post(type);
    else this.#link.postFrame(encodeJsonFrame(type, { code }));
    this.#settle();
  }

  #break(reason: FlowEnd, code?: string): void {
    if (this.#end === null) {
      this.#finish(reason);
      if (this.#isOutEnded && !this.#isInEnded) {
        // Our `fin` has left: a reset now might reach the flow after this one.
        return this.#link.close();
      }
      if (!this.#isInEnded) this.#drainTimer = setTimeout(() => this.#link.close(), DRAIN_MS);
    }
    this.#endOut("reset", code);
    this.#settle();
  }

  /** With both ways ended, the carrier is idle again. */
  #settle(): void {
    if (!this.#isOutEnded || !this.#isInEnded || this.#isSettled || !this.#link.isOpen) return;
    this.#isSettled = true;
    clearTimeout(this.#drainTimer);
    this.#onDone();
    this.#finish("done");
  }

  #finish(reason: FlowEnd): void {
    if (this.#end !== null) return;
    this.#end = reason;
    if (this.#attached === null) this.#conn.reject(OVER);
    if (reason !== "done" && this.#attached !== null) closeQuietly(this.#attached);
    this.#over.resolve(reason);
  }
}
