/**
 * The frames of a carrier: a 4-byte big-endian header, type (8 bits) and length (24 bits, at most 65 535), then
 * the bytes. One flow at a time; both `fin` seen means idle.
 *
 * @module
 */

/** The types of frames, by the number on the wire. */
export const FRAME_TYPES = {
  open: 1,
  ok: 2,
  error: 3,
  data: 4,
  fin: 5,
  reset: 6,
  ping: 7,
  pong: 8,
} as const;

export type FrameType = keyof typeof FRAME_TYPES;

export const FRAME_HEADER_BYTES = 4;
export const FRAME_MAX_PAYLOAD_BYTES = 65_535;
/** `open`, `error` and some `reset` carry small JSON; `fin`, `ping` and `pong` carry nothing. */
export const CONTROL_MAX_PAYLOAD_BYTES = 4096;

/**
 * What a decoder found. Data comes as it arrives, in pieces that may be parts of a frame or several frames joined,
 * each a view into the bytes that were fed; every other frame comes whole.
 */
export type Frame =
  | { readonly type: "data"; readonly payload: Uint8Array }
  | { readonly type: Exclude<FrameType, "data">; readonly payload: Uint8Array };

const TYPE_NAMES: readonly (FrameType | undefined)[] = Object.entries(FRAME_TYPES)
  .reduce<(FrameType | undefined)[]>((names, [name, number]) => {
    names[number] = name as FrameType;
    return names;
  }, []);

const NOTHING = new Uint8Array(0);

/**
 * Writes a header for `length` bytes of payload at the start of `target`, in front of a payload that is already
 * there, so that both leave in one write.
 *
 * @throws {RangeError} if the payload is longer than a frame may be.
 */
export function writeFrameHeader(target: Uint8Array, type: FrameType, length: number): void {
  if (length > FRAME_MAX_PAYLOAD_BYTES) {
    throw new RangeError(`A frame carries at most ${FRAME_MAX_PAYLOAD_BYTES} bytes, not ${length}`);
  }
  target[0] = FRAME_TYPES[type];
  target[1] = 0;
  target[2] = length >> 8;
  target[3] = length & 0xff;
}

/** Encodes one whole frame into bytes of its own. */
export function encodeFrame(
  type: FrameType,
  payload: Uint8Array = NOTHING,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, type, payload.length);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/**
 * Decodes a stream of frames fed in pieces of any size. Feed a piece, then call {@link next} until it gives `null`;
 * the payloads of `data` are views into that piece, which is overwritten to join them, and must be used before the
 * next is asked for.
 */
export class FrameDecoder {
  #piece: Uint8Array = NOTHING;
  #at = 0;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #type: FrameType = "data";
  #left = 0;
  #control: Uint8Array = NOTHING;
  #controlBytes = 0;
  #inPayload = false;
  #broken = false;

  /** True between frames: nothing of a frame has been seen that is not whole. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0 && !this.#inPayload && this.#at === this.#piece.length;
  }

  feed(piece: Uint8Array): void {
    if (this.#at < this.#piece.length && !this.#broken) {
      throw new TypeError("The last piece has not been read to its end");
    }
    this.#piece = piece;
    this.#at = 0;
  }

  /** @returns The next frame, `null` when the piece is used up, `"broken"` (for good) when it is no frame. */
  next(): Frame | null | "broken" {
    if (this.#broken) return "broken";
    if (!this.#inPayload && !this.#readHeader()) return this.#broken ? "broken" : null;
    return this.#type === "data" ? this.#nextData() : this.#nextControl(this.#type);
  }

  #readHeader(): boolean {
    while (this.#headerBytes < FRAME_HEADER_BYTES) {
      if (this.#at === this.#piece.length) return false;
      this.#header[this.#headerBytes++] = this.#piece[this.#at++] ?? 0;
    }
    this.#headerBytes = 0;
    const [number = 0, high = 0, middle = 0, low = 0] = this.#header;
    const type = TYPE_NAMES[number];
    this.#left = (middle << 8) | low;
    if (type === undefined || high !== 0 || !lengthFits(type, this.#left)) {
      this.#broken = true;
      return false;
    }
    this.#type = type;
    this.#inPayload = true;
    if (type !== "data") {
      this.#control = this.#left === 0 ? NOTHING : new Uint8Array(this.#left);
      this.#controlBytes = 0;
    }
    return true;
  }

  #nextData(): Frame | null {
    const start = this.#at;
    let end = start + Math.min(this.#left, this.#piece.length - start);
    if (end === start) return null;
    this.#left -= end - start;
    this.#at = end;
    // A write costs more than a move: what follows in frames of its own is moved up to it.
    while (this.#left === 0 && this.#takeDataHeader()) {
      const taken = Math.min(this.#left, this.#piece.length - this.#at);
      this.#piece.copyWithin(end, this.#at, this.#at + taken);
      this.#at += taken;
      this.#left -= taken;
      end += taken;
    }
    this.#inPayload = this.#left > 0;
    return { type: "data", payload: this.#piece.subarray(start, end) };
  }

  /** Steps over the header of another `data` frame, if one lies whole in what is left of the piece. */
  #takeDataHeader(): boolean {
    const at = this.#at;
    const [number, high, middle = 0, low = 0] = this.#piece.subarray(at, at + FRAME_HEADER_BYTES);
    const length = (middle << 8) | low;
    const isWhole = this.#piece.length - at > FRAME_HEADER_BYTES;
    if (!isWhole || number !== FRAME_TYPES.data || high !== 0 || length === 0) return false;
    this.#at += FRAME_HEADER_BYTES;
    this.#left = length;
    return true;
  }

  #nextControl(type: Exclude<FrameType, "data">): Frame | null {
    const taken = Math.min(this.#left, this.#piece.length - this.#at);
    this.#control.set(this.#piece.subarray(this.#at, this.#at + taken), this.#controlBytes);
    this.#at += taken;
    this.#controlBytes += taken;
    this.#left -= taken;
    if (this.#left > 0) return null;
    this.#inPayload = false;
    const payload = this.#control;
    this.#control = NOTHING;
    return { type, payload };
  }
}

function lengthFits(type: FrameType, length: number): boolean {
  switch (type) {
    case "data":
      return length > 0;
    case "open":
    case "ok":
    case "error":
    case "reset":
      return length <= CONTROL_MAX_PAYLOAD_BYTES;
    case "fin":
    case "ping":
    case "pong":
      return length === 0;
  }
}
