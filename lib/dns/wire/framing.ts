/**
 * DNS over TCP: each message follows its length in two bytes.
 *
 * @module
 * @see RFC 1035 section 4.2.2, RFC 7766 section 8
 */

import { HEADER_BYTES } from "./layout.ts";
import { write16 } from "./query.ts";

const LENGTH_BYTES = 2;
const MESSAGE_MAX_BYTES = 65_535;

/** Writes a message with its length before it, to leave in one write, in a fresh array. */
export function frameMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  if (message.length > MESSAGE_MAX_BYTES) {
    throw new RangeError(`Cannot frame a message of ${message.length} bytes`);
  }
  const framed = new Uint8Array(LENGTH_BYTES + message.length);
  write16(framed, 0, message.length);
  framed.set(message, LENGTH_BYTES);
  return framed;
}

/**
 * Cuts a byte stream into messages. Holds at most one unfinished message.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { FrameSplitter, frameMessage } from "./framing.ts";
 *
 * const message = new Uint8Array(12);
 * const splitter = new FrameSplitter();
 * deepEqual(splitter.push(frameMessage(message).subarray(0, 5)), []);
 * deepEqual(splitter.push(frameMessage(message).subarray(5)), [message]);
 * ```
 */
export class FrameSplitter {
  readonly #maxBytes: number;
  /** Length bytes and message together, as far as they came. */
  #frame = new Uint8Array(LENGTH_BYTES);
  #filled = 0;
  #broken = false;

  /** @param options.maxBytes Longer messages are refused; for queries a few kilobytes are plenty. */
  constructor(options: { readonly maxBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? MESSAGE_MAX_BYTES;
  }

  /** Whether a message has begun and not ended: time to be less patient with the peer. */
  get isPartial(): boolean {
    return this.#filled > 0;
  }

  /**
   * Takes in what was read.
   *
   * @param chunk Not kept; the caller may use it again.
   * @returns The messages that ended in it, each the receiver's own, or `null` once the stream cannot be
   *   cut any further, because a message is shorter than a header or longer than allowed: close it.
   */
  push(chunk: Uint8Array): Uint8Array[] | null {
    if (this.#broken) return null;
    const messages: Uint8Array[] = [];
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + this.#frame.length - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#frame.length) break;
      if (this.#filled > LENGTH_BYTES) {
        messages.push(this.#frame.subarray(LENGTH_BYTES));
        this.#frame = new Uint8Array(LENGTH_BYTES);
        this.#filled = 0;
      } else if (!this.#begin()) return null;
    }
    return messages;
  }

  /** Makes room for the message whose length has come. */
  #begin(): boolean {
    const [high = 0, low = 0] = this.#frame;
    const size = (high << 8) | low;
    if (size < HEADER_BYTES || size > this.#maxBytes) {
      this.#broken = true;
      return false;
    }
    const frame = new Uint8Array(LENGTH_BYTES + size);
    frame.set(this.#frame);
    this.#frame = frame;
    return true;
  }
}
