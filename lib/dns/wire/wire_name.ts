/**
 * Names on the wire: length-prefixed labels, perhaps ending in a pointer to an earlier name.
 *
 * In text, ASCII letters are lower case and every byte but letters, digits, `-` and `_` is `\DDD`, so that
 * two texts are equal exactly when the names are (RFC 4343) and a dot always parts labels. The root is "".
 *
 * @module
 * @see RFC 1035 sections 3.1 and 4.1.4
 */

import { LABEL_MAX_BYTES, POINTER_BITS } from "./layout.ts";

/** A name takes at most this many bytes on the wire, the root label included. */
const WIRE_NAME_MAX_BYTES = 255;

/** A name of 127 labels needs no more jumps than that; a ladder of pointers would. */
const MAX_JUMPS = 127;
/** A first byte from this on begins a pointer. */
const POINTER = POINTER_BITS >> 8;
const POINTER_OFFSET_MASK = 0x3f;
const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** Each byte in lower case. */
const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) => isUpper(byte) ? byte + 32 : byte);
/** 1 where a byte is written as itself. */
const PLAIN = Uint8Array.from(
  { length: 256 },
  (_, byte) => /[A-Za-z0-9_-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
/** Text of the name being read; four characters per byte at worst. */
const scratch = new Uint8Array(4 * WIRE_NAME_MAX_BYTES);

/** A name read from a message. */
interface DecodedName {
  readonly name: string;
  /** Offset of the byte after the name where it stands, not where a pointer led. */
  readonly end: number;
}

/**
 * Reads a name that may end in a pointer. Every pointer must lead strictly before the labels it ends, so
 * no byte is read twice and no loop is possible.
 *
 * @returns `null` if the bytes at the offset are not a name.
 */
export function decodeName(message: Uint8Array, offset: number): DecodedName | null {
  let length = 0;
  let wireBytes = 1;
  let end = -1;
  let limit = offset;
  let jumps = 0;
  for (let at = offset;;) {
    const size = message[at];
    if (size === undefined) return null;
    if (size === 0) {
      return { name: textOf(length), end: end < 0 ? at + 1 : end };
    }
    if (size >= POINTER) {
      const low = message[at + 1];
      if (low === undefined || ++jumps > MAX_JUMPS) return null;
      if (end < 0) end = at + 2;
      at = ((size & POINTER_OFFSET_MASK) << 8) | low;
      if (at >= limit) return null;
      limit = at;
      continue;
    }
    wireBytes += size + 1;
    if (size > LABEL_MAX_BYTES || wireBytes > WIRE_NAME_MAX_BYTES || at + size >= message.length) {
      return null;
    }
    length = foldLabel(message, at + 1, size, length);
    at += size + 1;
  }
}

/**
 * Steps over a name that must have no pointers, as a question carries it.
 *
 * @returns The offset after it, or -1 if the bytes at the offset are not such a name.
 */
export function skipPlainName(message: Uint8Array, offset: number): number {
  for (let at = offset;;) {
    const size = message[at];
    if (size === undefined || size > LABEL_MAX_BYTES) return -1;
    if (size === 0) return at + 1;
    // one byte is kept for the root label
    if (at + size + 2 - offset > WIRE_NAME_MAX_BYTES) return -1;
    at += size + 1;
  }
}

/**
 * Steps over a name without following pointers.
 *
 * @returns The offset after it, or -1 if the bytes are not a name.
 */
export function skipName(message: Uint8Array, offset: number): number {
  for (let at = offset;;) {
    const size = message[at];
    if (size === undefined || at - offset >= WIRE_NAME_MAX_BYTES) return -1;
    if (size === 0) return at + 1;
    if (size >= POINTER) return at + 2 <= message.length ? at + 2 : -1;
    if (size > LABEL_MAX_BYTES) return -1;
    at += size + 1;
  }
}

/**
 * Writes a name as labels, uncompressed, in a fresh array.
 *
 * @param name Text as `decodeName` gives it; escapes are understood.
 * @throws {RangeError} If a label or the name is too long, a label empty or an escape broken.
 */
export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const label of name === "" ? [] : name.split(".")) {
    const labelBytes = unescapeLabel(label);
    if (labelBytes.length === 0 || labelBytes.length > LABEL_MAX_BYTES) {
      throw new RangeError(`Cannot encode "${name}": a label has ${labelBytes.length} bytes`);
    }
    bytes.push(labelBytes.length, ...labelBytes);
  }
  bytes.push(0);
  if (bytes.length > WIRE_NAME_MAX_BYTES) {
    throw new RangeError(`Cannot encode "${name}": it takes ${bytes.length} bytes`);
  }
  return Uint8Array.from(bytes);
}

/**
 * Tells whether two runs of `length` bytes are the same name but for the case of ASCII letters. Both runs
 * must lie inside their arrays.
 */
export function equalFolded(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  length: number,
): boolean {
  for (let at = 0; at < length; at++) {
    if (FOLDED[a[aStart + at] ?? 0] !== FOLDED[b[bStart + at] ?? 0]) return false;
  }
  return true;
}

/** Hashes a range of bytes to 32 bits (FNV-1a), the case of ASCII letters set aside. */
export function hashFolded(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ (FOLDED[bytes[at] ?? 0] ?? 0), 0x01000193);
  }
  return hash;
}

function foldLabel(message: Uint8Array, from: number, size: number, length: number): number {
  let to = length;
  if (to > 0) scratch[to++] = DOT;
  for (let at = from; at < from + size; at++) {
    const byte = message[at] ?? 0;
    if (PLAIN[byte] === 1) {
      scratch[to++] = FOLDED[byte] ?? 0;
      continue;
    }
    scratch[to++] = BACKSLASH;
    scratch[to++] = 0x30 + Math.floor(byte / 100);
    scratch[to++] = 0x30 + Math.floor(byte / 10) % 10;
    scratch[to++] = 0x30 + byte % 10;
  }
  return to;
}

function textOf(length: number): string {
  // the fastest way measured for names of usual length; TextDecoder takes twice as long
  return String.fromCharCode.apply(null, scratch.subarray(0, length) as unknown as number[]);
}

function unescapeLabel(label: string): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < label.length; at++) {
    if (label[at] !== "\\") {
      bytes.push(label.charCodeAt(at));
      continue;
    }
    bytes.push(
      /^[0-9]{3}$/.test(label.slice(at + 1, at + 4)) ? Number(label.slice(at + 1, at + 4)) : 256,
    );
    at += 3;
  }
  if (bytes.some((byte) => byte > 255)) {
    throw new RangeError(`Cannot encode label "${label}": not bytes and \\DDD escapes`);
  }
  return bytes;
}

function isUpper(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
