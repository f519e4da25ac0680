/**
 * Keeps web pages of others away from an app that speaks plain HTTP: a browser that was led to the app's address by
 * a foreign name says that name in its requests.
 *
 * @module
 * @see RFC 9110 section 15.5.20, "421 Misdirected Request"
 */
import { equalIp, type IpAddress, parseIp } from "../ip/mod.ts";
import { decodeHeaderBlock } from "./hpack.ts";
import { HELD_MAX_BYTES, HttpRequests } from "./http_requests.ts";
import { HTTP2_PREFACE } from "./http_start.ts";

/** What a request may call its host. */
export interface HostNames {
  /** In lower case, without the trailing dot. */
  readonly names: ReadonlySet<string>;
  /** The virtual address that was connected to. */
  readonly address: IpAddress;
}

/** What to do with the bytes a program has sent and that were not passed on yet. */
export type HostVerdict =
  | {
    readonly kind: "hold";
    /** So many of them may go on; the rest waits for more. */
    readonly readyBytes: number;
    /** So many more, after all of them, may go on unseen: the rest of a body. */
    readonly freeBytes: number;
    /** What waits must be HTTP, and is refused if no more comes; else it goes on then. */
    readonly certain: boolean;
  }
  /** All may go on, and everything after them. */
  | { readonly kind: "pass" }
  | {
    readonly kind: "refuse";
    /** What the request called its host; `null` if it named none that can be read. */
    readonly host: string | null;
    /** `null` for a later request of a connection: answers to those before it may still be on their way. */
    readonly reply: Uint8Array<ArrayBuffer> | null;
  };

type HostRefusal = Extract<HostVerdict, { readonly kind: "refuse" }>;

/** The names of the app are not in it: the page that asks may be anybody's. */
const REPLY_TEXT = "421 Misdirected Request\n" +
  "The Host of this request is not a name of this app. To learn more, run: vnet help security guard\n";

const FRAME_HEADER_BYTES = 9;
const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const PUSH_PROMISE = 5;
const GOAWAY = 7;
const CONTINUATION = 9;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITY = 0x20;

const PASS = { kind: "pass" } as const satisfies HostVerdict;

/**
 * Judges what one program sends: every HTTP/1 request as far as its end can be told from its head, and the first of
 * HTTP/2. The verdict does not depend on the pieces in which the bytes come.
 */
export class HostGuard {
  readonly #names: HostNames;
  readonly #requests: HttpRequests;
  #isHttp2 = false;
  /** What is still to come of a frame that may go on. */
  #skipBytes = 0;

  constructor(names: HostNames) {
    this.#names = names;
    this.#requests = new HttpRequests((authority) => isNamed(authority, names));
  }

  /** Judges after more bytes have come. @param held What was not passed on, in order. */
  judge(held: Uint8Array): HostVerdict {
    if (this.#isHttp2) return this.#judgeFrames(held, 0);
    const step = this.#requests.read(held);
    switch (step.kind) {
      case "other":
        return PASS;
      case "hold":
        return step;
      case "http2":
        this.#isHttp2 = true;
        return this.#judgeFrames(held, step.at + HTTP2_PREFACE.length);
      case "foreign":
        return this.#refuse1(step.host);
      default:
        return step satisfies never;
    }
  }

  /** Judges when no more will be held: the program ended, took too long, or sent too much. */
  judgeLast(held: Uint8Array): Exclude<HostVerdict, { readonly kind: "hold" }> {
    const verdict = this.judge(held);
    if (verdict.kind !== "hold") return verdict;
    if (!verdict.certain || verdict.readyBytes === held.length) return PASS;
    return this.#isHttp2 ? this.#refuse2(null, 1) : this.#refuse1(null);
  }

  /** Lets everything go on up to the first header block. */
  #judgeFrames(held: Uint8Array, from: number): HostVerdict {
    let at = from;
    while (true) {
      const skipped = Math.min(this.#skipBytes, held.length - at);
      this.#skipBytes -= skipped;
      at += skipped;
      const frame = frameAt(held, at);
      if (frame === null) return holdFrames(at);
      switch (frame.type) {
        case HEADERS:
          return this.#judgeHeaders(held, at, frame);
        case DATA:
        case PUSH_PROMISE:
        case CONTINUATION:
          return this.#refuse2(null, frame.stream); // nothing that can come before the first header block
        default:
          this.#skipBytes = FRAME_HEADER_BYTES + frame.length;
      }
    }
  }

  #judgeHeaders(held: Uint8Array, from: number, first: Frame): HostVerdict {
    const pieces: Uint8Array[] = [];
    let frame: Frame | null = first;
    let at = from;
    while (frame !== null && frame.type === (at === from ? HEADERS : CONTINUATION)) {
      const end: number = at + FRAME_HEADER_BYTES + frame.length;
      if (frame.stream !== first.stream || end - from > HELD_MAX_BYTES) break;
      if (end > held.length) return holdFrames(from);
      const piece = fragment(held.subarray(at + FRAME_HEADER_BYTES, end), frame);
      if (piece === null) break;
      pieces.push(piece);
      if ((frame.flags & END_HEADERS) !== 0) {
        return this.#judgeHosts(authorities(pieces), first.stream);
      }
      at = end;
      frame = frameAt(held, at);
      if (frame === null && held.length - from < HELD_MAX_BYTES) return holdFrames(from);
    }
    return this.#refuse2(null, first.stream);
  }

  #judgeHosts(authorities: readonly string[], stream: number): HostVerdict {
    const foreign = authorities.find((authority) => !isNamed(authority, this.#names));
    if (foreign === undefined && authorities.length > 0) return PASS;
    return this.#refuse2(foreign ?? null, stream);
  }

  #refuse1(host: string | null): HostRefusal {
    return { kind: "refuse", host, reply: this.#requests.ended === 0 ? reply1() : null };
  }

  #refuse2(host: string | null, stream: number): HostRefusal {
    return { kind: "refuse", host, reply: this.#requests.ended === 0 ? reply2(stream) : null };
  }
}

interface Frame {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}

/** @see RFC 9113 section 4.1 */
function frameAt(bytes: Uint8Array, at: number): Frame | null {
  if (at + FRAME_HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES);
  return {
    length: view.getUint32(0) >>> 8,
    type: view.getUint8(3),
    flags: view.getUint8(4),
    stream: view.getUint32(5) & 0x7fff_ffff,
  };
}

/** Cuts padding and priority off. @returns `null` if they are longer than the frame. */
function fragment(payload: Uint8Array, frame: Frame): Uint8Array | null {
  if (frame.type !== HEADERS) return payload;
  const isPadded = (frame.flags & PADDED) !== 0;
  const from = (isPadded ? 1 : 0) + ((frame.flags & PRIORITY) === 0 ? 0 : 5);
  const to = payload.length - (isPadded ? payload[0] ?? 0 : 0);
  return from <= to ? payload.subarray(from, to) : null;
}

function authorities(pieces: readonly Uint8Array[]): readonly string[] {
  const block = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    block.set(piece, at);
    at += piece.length;
  }
  return (decodeHeaderBlock(block) ?? []).flatMap(([name, value]) =>
    [":authority", "host"].includes(name.toLowerCase()) ? [value] : []
  );
}

/** Any port will do: who forwards a port of their own to the app has another one. */
function isNamed(authority: string, names: HostNames): boolean {
  const [, bracketed, plain] =
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::[0-9]{0,5})?$/i.exec(authority) ?? [];
  const host = bracketed ?? plain ?? "";
  if (bracketed === undefined && names.names.has(host.toLowerCase().replace(/\.$/, ""))) {
    return true;
  }
  try {
    const address = parseIp(host);
    return (address.family === 6) === (bracketed !== undefined) && equalIp(address, names.address);
  } catch {
    return false;
  }
}

function holdFrames(readyBytes: number): HostVerdict {
  return { kind: "hold", readyBytes, freeBytes: 0, certain: true };
}

function reply1(): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    "HTTP/1.1 421 Misdirected Request\r\n" +
      "Content-Type: text/plain; charset=utf-8\r\n" +
      `Content-Length: ${REPLY_TEXT.length}\r\n` +
      "Cache-Control: no-store\r\n" +
      "Connection: close\r\n\r\n" +
      REPLY_TEXT,
  );
}

/** An empty SETTINGS, the answer, and goodbye. */
function reply2(stream: number): Uint8Array<ArrayBuffer> {
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  // Literals that are not remembered: :status is entry 8 of the static table, content-type entry 31 (15 + 16).
  const block = [0x08, ...text("421"), 0x0f, 16, ...text("text/plain; charset=utf-8")];
  const lastStream = new Uint8Array(8);
  new DataView(lastStream.buffer).setUint32(0, stream);
  const body = new TextEncoder().encode(REPLY_TEXT);
  return Uint8Array.from([
    ...frame(SETTINGS, 0, 0, []),
    ...frame(HEADERS, END_HEADERS, stream, block),
    ...frame(DATA, END_STREAM, stream, body),
    ...frame(GOAWAY, 0, 0, lastStream),
  ]);
}

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Iterable<number>,
): readonly number[] {
  const content = [...payload];
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, content.length * 256 + type);
  view.setUint8(4, flags);
  view.setUint32(5, stream);
  return [...header, ...content];
}
