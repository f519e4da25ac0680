/**
 * Bends good messages at random: what parsers of foreign bytes are tried with.
 *
 * @module
 */
import type { Random } from "../dns/random.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Changes a message in one place; it may write into what it is given. */
export type Edit = (random: Random, bytes: Bytes) => Bytes;

/** Values that have broken parsers: counts, lengths, pointers, types. */
const WORDS: readonly number[] = [
  ...[0, 1, 2, 41, 0x7f, 0xff, 0x100, 0x3fff, 0x7fff, 0x8000, 0xc000, 0xc00c, 0xc00d, 0xffff],
];
const MAX_EDITS = 5;

/** How messages are bent. */
export interface Bending {
  readonly maxBytes: number;
  /** What else may be done to messages of this kind. */
  readonly edit?: Edit;
}

/** Takes a seed and changes it in a few places, or in none. */
export function bend(
  random: Random,
  corpus: readonly Bytes[],
  { maxBytes, edit }: Bending,
): Bytes {
  let bytes = random.pick(corpus).slice();
  for (let edits = random.below(MAX_EDITS + 1); edits > 0; edits--) {
    bytes = edit !== undefined && random.oneIn(EDITS.length + 1)
      ? edit(random, bytes)
      : random.pick(EDITS)(random, bytes, corpus);
  }
  return bytes.length > maxBytes ? bytes.slice(0, maxBytes) : bytes;
}

const EDITS: readonly ((random: Random, bytes: Bytes, corpus: readonly Bytes[]) => Bytes)[] = [
  function bit(random, bytes) {
    const at = random.below(bytes.length + 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  function byte(random, bytes) {
    bytes[random.below(bytes.length + 1)] = random.below(256);
    return bytes;
  },
  function numberThatMeansSomething(random, bytes) {
    const at = random.below(bytes.length + 1);
    const word = random.pick(WORDS);
    bytes[at] = word >> 8;
    bytes[at + 1] = word;
    return bytes;
  },
  function cut(random, bytes) {
    return bytes.slice(0, random.below(bytes.length + 1));
  },
  function somethingInBetween(random, bytes) {
    const at = random.below(bytes.length + 1);
    return join(bytes.subarray(0, at), random.bytes(random.below(12)), bytes.subarray(at));
  },
  function pieceOfAnother(random, bytes, corpus) {
    const at = random.below(bytes.length + 1);
    const other = random.pick(corpus);
    const from = random.below(other.length + 1);
    return join(bytes.subarray(0, at), other.subarray(from, from + random.below(64)));
  },
  function itselfAgain(random, bytes) {
    const at = random.below(bytes.length + 1);
    return join(bytes, bytes.subarray(at, at + random.below(64)));
  },
];

/** Puts pieces together. */
export function join(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
