import type { VnetError } from "../../error.ts";
import { refusalError } from "../../refusal/mod.ts";
import {
  encodeFrame,
  type Frame,
  FRAME_HEADER_BYTES,
  FrameDecoder,
  type FrameType,
  writeFrameHeader,
} from "../../tunnel/mod.ts";
import type { ByteStream } from "../stream.ts";

/** Whoever a carrier belongs to at the moment. */
export interface FrameReceiver {
  /** Takes the frames of a carrier one after the other; the next waits until the promise is done. */
  receive(frame: Frame): Promise<void> | void;
  /** The carrier has ended: `null` if the peer hung up between frames, what was wrong otherwise. */
  lost(error: Error | null): void;
}

/** Either end of a carrier: pumps frames in, writes frames out, answers pings, and closes on the first broken frame. */
export class CarrierLink {
  readonly #stream: ByteStream;
  readonly #decoder = new FrameDecoder();
  readonly #owner: FrameReceiver;
  #receiver: FrameReceiver;
  #isOpen = true;
  #heard = 0;
  /** Pings sent since the last pong. */
  unanswered = 0;

  /** @param owner Who gets frames while nobody else does, and hears of the end in any case. */
  constructor(stream: ByteStream, owner: FrameReceiver) {
    this.#stream = stream;
    this.#owner = owner;
    this.#receiver = owner;
  }

  /** Takes frames until the carrier has ended. Called once. */
  async pump(): Promise<void> {
    try {
      for (;;) {
        const bytes = await this.#stream.read();
        if (bytes === null) break;
        this.#heard++;
        this.#decoder.feed(bytes);
        const broken = await this.#deliver();
        if (broken !== null) return this.close(broken);
        if (!this.#isOpen) return;
      }
      this.close(this.#decoder.atBoundary ? null : new Error("The peer hung up within a frame"));
    } catch (thrown) {
      this.close(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How often something came in. */
  get heard(): number {
    return this.#heard;
  }

  set receiver(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /** Sends a whole frame. */
  send(frame: Uint8Array): Promise<void> {
    return this.#stream.write(frame);
  }

  /**
   * Sends the bytes in `buffer` after its first {@link FRAME_HEADER_BYTES} as one `data` frame; the header is written
   * in front of them.
   */
  sendData(buffer: Uint8Array, length: number): Promise<void> {
    writeFrameHeader(buffer, "data", length);
    return this.#stream.write(buffer.subarray(0, FRAME_HEADER_BYTES + length));
  }

  /** Sends a frame without waiting for it to leave; if it cannot, the pump finds out. */
  post(type: FrameType): void {
    this.postFrame(encodeFrame(type));
  }

  /** {@link post} for a frame with something in it. */
  postFrame(frame: Uint8Array): void {
    this.send(frame).catch((error: Error) => this.close(error));
  }

  ping(): void {
    this.unanswered++;
    this.post("ping");
  }

  /** Sends a whole frame with a ping behind it. */
  sendAndPing(frame: Uint8Array): Promise<void> {
    this.unanswered++;
    const ping = encodeFrame("ping");
    const both = new Uint8Array(frame.length + ping.length);
    both.set(frame);
    both.set(ping, frame.length);
    return this.send(both);
  }

  close(error: Error | null = null): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.close();
    if (this.#receiver !== this.#owner) this.#receiver.lost(error);
    this.#owner.lost(error);
  }

  async #deliver(): Promise<VnetError | null> {
    for (;;) {
      const frame = this.#decoder.next();
      if (frame === null || !this.#isOpen) return null;
      if (frame === "broken") return violation("not a frame");
      if (frame.type === "ping") {
        await this.send(encodeFrame("pong")); // waited for: a peer that reads nothing must not pile them up
      } else if (frame.type === "pong") {
        this.unanswered = 0;
      } else {
        const pending = this.#receiver.receive(frame);
        if (pending !== undefined) await pending;
      }
    }
  }
}

/** The error of a peer that does not keep to the protocol. */
export function violation(state: string): VnetError {
  return refusalError("protocol-violated", "Cannot go on with a carrier", { state });
}
