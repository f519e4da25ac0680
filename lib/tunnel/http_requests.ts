/**
 * Follows the HTTP/1 requests of one connection: what each calls its host, and where the next one begins.
 *
 * It reads what browsers write. A request whose end it cannot tell, and one that may turn the connection into
 * something else, is the last it follows: what comes then is nobody's business.
 *
 * @module
 * @see RFC 9112 sections 3, 5, 6 and 7
 */
import { judgeHttpStart } from "./http_start.ts";

/** The most bytes that may be held: what servers take for a request's head. */
export const HELD_MAX_BYTES = 16_384;

/** What is known once some more bytes have been read. */
type HttpStep =
  | {
    readonly kind: "hold";
    /** So many of the bytes may go on; the others are given again, with what follows them. */
    readonly readyBytes: number;
    /** So many more, after all of these, need not be looked at. */
    readonly freeBytes: number;
    /** What is held can be nothing but HTTP that has not named its host. */
    readonly certain: boolean;
  }
  /** Nothing more can be told. */
  | { readonly kind: "other" }
  /** HTTP/2 begins there. */
  | { readonly kind: "http2"; readonly at: number }
  /** A host that is not the app's; `null` if none is named that can be read. */
  | { readonly kind: "foreign"; readonly host: string | null };

/** What a head says of the host, and of what follows it. */
interface Head {
  readonly method: string;
  readonly mustNameHost: boolean;
  /** The hosts named so far are the app's, and there is one. */
  isNamed: boolean;
  /** The last field was one that counts: a folded line would go on with it. */
  last: Counting | null;
  readonly values: Readonly<Record<Counting, string[]>>;
  isUnclear: boolean;
}

type Counting = "host" | "content-length" | "transfer-encoding" | "upgrade";

const COUNTING: readonly string[] = ["host", "content-length", "transfer-encoding", "upgrade"];
/** Longer than the longest name that counts, with some space before the colon. */
const NAME_MAX_BYTES = 32;
const SIZE_MAX_BYTES = 1024;
const LENGTH = /^[0-9]{1,15}$/;
const CHUNK_SIZE = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i;
const TARGET_AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;

const OTHER = { kind: "other" } as const satisfies HttpStep;
const NAMELESS = { kind: "foreign", host: null } as const satisfies HttpStep;

const latin1 = new TextDecoder("latin1");

/** The requests of one connection, in order. */
export class HttpRequests {
  readonly #isOurs: (authority: string) => boolean;
  #stage: "start" | "fields" | "chunk-size" | "chunk-end" | "trailer" = "start";
  #ended = 0;
  #head: Head | null = null;
  /** Within a line that does not count. */
  #isInLine = false;
  /** How much of what is held was read before: a head whose host is not known yet. */
  #seenBytes = 0;

  /** @param isOurs Whether an authority, the value of Host, is the app's. */
  constructor(isOurs: (authority: string) => boolean) {
    this.#isOurs = isOurs;
  }

  /** How many heads were read to their end. */
  get ended(): number {
    return this.#ended;
  }

  /** Reads on. @param held What may not go on yet, and what has come since. */
  read(held: Uint8Array): HttpStep {
    const cursor: Cursor = { held, at: this.#seenBytes, ready: 0 };
    for (;;) {
      const step = this.#readStage(cursor);
      if (step === null) continue;
      this.#seenBytes = step.kind === "hold" ? Math.max(cursor.at - cursor.ready, 0) : 0;
      return step;
    }
  }

  /** @returns `null` to go on with the next stage. */
  #readStage(cursor: Cursor): HttpStep | null {
    switch (this.#stage) {
      case "start":
        return this.#readStart(cursor);
      case "fields":
        return this.#readField(cursor);
      case "chunk-size":
        return this.#readChunkSize(cursor);
      case "chunk-end":
        return this.#readChunkEnd(cursor);
      case "trailer":
        return this.#readTrailer(cursor);
      default:
        return this.#stage satisfies never;
    }
  }

  #readStart(cursor: Cursor): HttpStep | null {
    const { held } = cursor;
    // Some clients end a body with an empty line (RFC 9112 section 2.2).
    if (this.#ended > 0) { while (isLineEnd(held[cursor.at])) cursor.at++; }
    cursor.ready = cursor.at;
    const start = judgeHttpStart(held.subarray(cursor.at, cursor.at + HELD_MAX_BYTES));
    switch (start.kind) {
      case "other":
        return OTHER;
      case "http2":
        return { kind: "http2", at: cursor.at };
      case "more":
        if (held.length - cursor.at >= HELD_MAX_BYTES) return start.certain ? NAMELESS : OTHER;
        return hold(cursor, start.certain);
      case "request": {
        const { method, target, mustNameHost } = start;
        const authority = method === "CONNECT" ? target : TARGET_AUTHORITY.exec(target)?.[1];
        this.#head = newHead(method, mustNameHost && authority === undefined);
        this.#stage = "fields";
        cursor.at += start.lineBytes;
        if (authority === undefined || this.#isOurs(authority)) return null;
        return { kind: "foreign", host: authority };
      }
      default:
        return start satisfies never;
    }
  }

  #readField(cursor: Cursor): HttpStep | null {
    const head = this.#head ?? newHead("", true);
    const { at, ready } = cursor;
    const line = takeLine(cursor, head.isNamed ? Infinity : HELD_MAX_BYTES - (at - ready));
    if (this.#isInLine) {
      if (line === null) return this.#letAllGo(cursor);
      this.#isInLine = false;
    } else if (line === null) {
      return this.#holdField(cursor, head);
    } else if (line === "") {
      return this.#endHead(cursor, head);
    } else {
      const foreign = this.#takeField(line, head);
      if (foreign !== null) return { kind: "foreign", host: foreign };
      if (head.last !== null && cursor.at - at > HELD_MAX_BYTES) return NAMELESS;
    }
    if (head.isNamed) cursor.ready = cursor.at;
    return null;
  }

  /** Half a line: it waits if its field counts, or might. */
  #holdField(cursor: Cursor, head: Head): HttpStep {
    const { held, at, ready } = cursor;
    if (!head.isNamed) {
      return held.length - ready >= HELD_MAX_BYTES ? NAMELESS : hold(cursor, true);
    }
    const begun = latin1.decode(held.subarray(at, at + NAME_MAX_BYTES + 1));
    const mayCount = !/[:\n]/.test(begun) && begun.length <= NAME_MAX_BYTES &&
      !/^[ \t]/.test(begun);
    if (!mayCount && countingOf(begun, head) === null) {
      this.#isInLine = true;
      head.last = null;
      return this.#letAllGo(cursor);
    }
    return held.length - at >= HELD_MAX_BYTES ? NAMELESS : hold(cursor, false);
  }

  /** @returns A foreign host, or `null`. */
  #takeField(line: string, head: Head): string | null {
    const name = countingOf(line, head);
    const isFolded = /^[ \t]/.test(line);
    head.last = name;
    if (name === null) return null;
    // No name of ours has two lines, nor has a length.
    if (isFolded) head.isUnclear = true;
    const value = isFolded ? line.trim() : line.slice(line.indexOf(":") + 1).trim();
    head.values[name].push(value);
    if (name !== "host") return null;
    head.isNamed = !isFolded && this.#isOurs(value);
    return head.isNamed ? null : value;
  }

  #endHead(cursor: Cursor, head: Head): HttpStep | null {
    if (!head.isNamed && head.mustNameHost) return NAMELESS;
    cursor.ready = cursor.at;
    this.#ended++;
    this.#head = null;
    const { "content-length": lengths, "transfer-encoding": codings, upgrade } = head.values;
    const isLast = head.isUnclear || head.method === "CONNECT" || !upgrade.every(isFollowed);
    if (isLast) return OTHER;
    if (codings.length > 0) {
      const coding = codings.join(",").split(",").at(-1)?.trim().toLowerCase();
      this.#stage = "chunk-size";
      return coding === "chunked" ? null : OTHER;
    }
    this.#stage = "start";
    const [length = "0"] = lengths;
    if (!LENGTH.test(length) || lengths.some((other) => other !== length)) return OTHER;
    return passOver(cursor, Number(length));
  }

  #readChunkSize(cursor: Cursor): HttpStep | null {
    const line = takeLine(cursor, SIZE_MAX_BYTES);
    if (line === null) return holdShort(cursor, SIZE_MAX_BYTES);
    const [, digits] = CHUNK_SIZE.exec(line) ?? [];
    if (digits === undefined) return OTHER;
    const size = parseInt(digits, 16);
    this.#stage = size === 0 ? "trailer" : "chunk-end";
    cursor.ready = cursor.at;
    return passOver(cursor, size);
  }

  #readChunkEnd(cursor: Cursor): HttpStep | null {
    const line = takeLine(cursor, 2);
    if (line === null) return holdShort(cursor, 2);
    if (line !== "") return OTHER;
    this.#stage = "chunk-size";
    cursor.ready = cursor.at;
    return null;
  }

  #readTrailer(cursor: Cursor): HttpStep | null {
    const line = takeLine(cursor, Infinity);
    if (line === null) {
      const begun = cursor.held[cursor.at];
      if (!this.#isInLine && isLineEnd(begun)) return hold(cursor, false);
      this.#isInLine ||= begun !== undefined;
      return this.#letAllGo(cursor);
    }
    if (line === "" && !this.#isInLine) this.#stage = "start";
    this.#isInLine = false;
    cursor.ready = cursor.at;
    return null;
  }

  #letAllGo(cursor: Cursor): HttpStep {
    cursor.at = cursor.held.length;
    cursor.ready = cursor.at;
    return hold(cursor, false);
  }
}

/** Where the reader is in what is held. */
interface Cursor {
  readonly held: Uint8Array;
  at: number;
  /** So much may go on. */
  ready: number;
}

function newHead(method: string, mustNameHost: boolean): Head {
  const values = { host: [], "content-length": [], "transfer-encoding": [], upgrade: [] };
  return { method, mustNameHost, isNamed: false, last: null, values, isUnclear: false };
}

/** The next line without its end, `null` if it is not whole or longer than that. */
function takeLine(cursor: Cursor, maxBytes: number): string | null {
  const { held, at } = cursor;
  const end = held.indexOf(0x0a, at);
  if (end < 0 || end + 1 - at > maxBytes) return null;
  cursor.at = end + 1;
  return latin1.decode(held.subarray(at, held[end - 1] === 0x0d && end > at ? end - 1 : end));
}

/** Which field that counts a line belongs to, `null` for none. */
function countingOf(line: string, { last }: Head): Counting | null {
  if (/^[ \t]/.test(line)) return last;
  const colon = line.indexOf(":");
  if (colon < 0 || colon > NAME_MAX_BYTES) return null;
  const name = line.slice(0, colon).trim().toLowerCase();
  return COUNTING.includes(name) ? name as Counting : null;
}

/** What these become is known by its first bytes: frames that no request begins with, or HTTP/2. */
function isFollowed(upgrade: string): boolean {
  return ["websocket", "h2c"].includes(upgrade.toLowerCase());
}

/** Lets a body go on; what of it has not come yet is free. */
function passOver(cursor: Cursor, bytes: number): HttpStep | null {
  const here = Math.min(bytes, cursor.held.length - cursor.at);
  cursor.at += here;
  cursor.ready = cursor.at;
  return here === bytes ? null : { ...hold(cursor, false), freeBytes: bytes - here };
}

function holdShort(cursor: Cursor, maxBytes: number): HttpStep {
  return cursor.held.length - cursor.at >= maxBytes ? OTHER : hold(cursor, false);
}

function hold({ ready }: Cursor, certain: boolean): Extract<HttpStep, { kind: "hold" }> {
  return { kind: "hold", readyBytes: ready, freeBytes: 0, certain };
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0d || byte === 0x0a;
}
