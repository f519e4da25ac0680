/**
 * Header blocks of HTTP/2, as far as a connection's first one needs them: the dynamic table is empty at its start.
 *
 * @module
 * @see RFC 7541
 */

/** A field of a header block. */
export type HeaderField = readonly [name: string, value: string];

/** RFC 7541 appendix A. */
const STATIC_TABLE: readonly HeaderField[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((
    code,
  ): HeaderField => [":status", code]),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...("accept-language accept-ranges accept access-control-allow-origin age allow authorization " +
    "cache-control content-disposition content-encoding content-language content-length " +
    "content-location content-range content-type cookie date etag expect expires from host if-match " +
    "if-modified-since if-none-match if-range if-unmodified-since last-modified link location " +
    "max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server " +
    "set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate")
    .split(" ").map((name): HeaderField => [name, ""]),
];

/** RFC 7541 appendix B: the code is canonical, so the length of each octet's code says it all; last is EOS. */
const CODE_LENGTHS = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
];
const EOS = 256;
const MAX_CODE_BITS = 30;
const MAX_PADDING_BITS = 7;

/** Octets in the order of their codes, and where those of each length begin. */
interface CodeBook {
  readonly symbols: readonly number[];
  readonly byLength: readonly { readonly first: number; readonly count: number; at: number }[];
}

const CODES = compileCodes();

/**
 * Decodes the first header block of a connection.
 *
 * @returns Its fields in order, or `null` if it is broken.
 */
export function decodeHeaderBlock(block: Uint8Array): readonly HeaderField[] | null {
  const reader = new BlockReader(block);
  const fields: HeaderField[] = [];
  /** Newest first, as indexes count. */
  const added: HeaderField[] = [];
  const find = (index: number) =>
    STATIC_TABLE[index - 1] ?? added[index - 1 - STATIC_TABLE.length] ?? null;
  while (!reader.atEnd) {
    const first = reader.peek();
    if (first >= 0x80) {
      const found = find(reader.integer(7) ?? 0);
      if (found === null) return null;
      fields.push(found);
    } else if (first >= 0x20 && first < 0x40) {
      if (reader.integer(5) === null) return null; // the table's new size
    } else {
      const isAdded = first >= 0x40;
      const index = reader.integer(isAdded ? 6 : 4);
      if (index === null) return null;
      const name = index === 0 ? reader.text() : find(index)?.[0] ?? null;
      const value = reader.text();
      if (name === null || value === null) return null;
      fields.push([name, value]);
      if (isAdded) added.unshift([name, value]);
    }
  }
  return fields;
}

/** Reads a block from front to back; `null` where it ends too soon. */
class BlockReader {
  readonly #block: Uint8Array;
  #at = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get atEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  peek(): number {
    return this.#block[this.#at] ?? 0;
  }

  /** An integer whose first byte has `prefixBits` of it. @see RFC 7541 section 5.1 */
  integer(prefixBits: number): number | null {
    const mask = (1 << prefixBits) - 1;
    const byte = this.#block[this.#at++];
    if (byte === undefined) return null;
    let value = byte & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const next = this.#block[this.#at++];
      if (next === undefined) return null;
      value += (next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    return null;
  }

  /** A text, one character an octet. @see RFC 7541 section 5.2 */
  text(): string | null {
    const isCoded = this.peek() >= 0x80;
    const length = this.integer(7);
    if (length === null || this.#at + length > this.#block.length) return null;
    const bytes = this.#block.subarray(this.#at, this.#at + length);
    this.#at += length;
    const octets = isCoded ? decodeHuffman(bytes) : bytes;
    return octets === null
      ? null
      : Array.from(octets, (code) => String.fromCharCode(code)).join("");
  }
}

function decodeHuffman(bytes: Uint8Array): readonly number[] | null {
  const octets: number[] = [];
  let code = 0;
  let bits = 0;
  for (let at = 0; at < bytes.length * 8; at++) {
    code = code * 2 + ((bytes[at >> 3]! >> (7 - (at & 7))) & 1);
    bits++;
    const symbol = symbolOf(code, bits);
    if (symbol === EOS || bits > MAX_CODE_BITS) return null;
    if (symbol === null) continue;
    octets.push(symbol);
    code = 0;
    bits = 0;
  }
  // What is left must be the beginning of EOS, which is all ones.
  return bits <= MAX_PADDING_BITS && code === 2 ** bits - 1 ? octets : null;
}

function symbolOf(code: number, bits: number): number | null {
  const row = CODES.byLength[bits];
  if (row === undefined || code < row.first || code >= row.first + row.count) return null;
  return CODES.symbols[row.at + code - row.first] ?? null;
}

function compileCodes(): CodeBook {
  const symbols: number[] = [];
  const byLength: { first: number; count: number; at: number }[] = [];
  let next = 0;
  for (let bits = 0; bits <= MAX_CODE_BITS; bits++) {
    const ofLength = CODE_LENGTHS.flatMap((length, symbol) => length === bits ? [symbol] : []);
    byLength.push({ first: next, count: ofLength.length, at: symbols.length });
    symbols.push(...ofLength);
    next = (next + ofLength.length) * 2;
  }
  return { symbols, byLength };
}
