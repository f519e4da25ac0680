/**
 * SipHash-2-4: a keyed hash of short messages; who lacks the key cannot aim at a value.
 *
 * @module
 * @see Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012
 */

interface State {
  v0: bigint;
  v1: bigint;
  v2: bigint;
  v3: bigint;
}

const MASK = (1n << 64n) - 1n;

/**
 * Hashes a message; some ten microseconds for a name.
 *
 * @param key 16 bytes.
 * @returns 64 bits, unsigned.
 * @throws {RangeError} If the key is not 16 bytes.
 */
export function sipHash24(key: Uint8Array, message: Uint8Array): bigint {
  if (key.length !== 16) {
    throw new RangeError(`Cannot hash: the key is ${key.length} bytes, not 16`);
  }
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const k0 = view.getBigUint64(0, true);
  const k1 = view.getBigUint64(8, true);
  const state: State = {
    v0: k0 ^ 0x736f6d6570736575n,
    v1: k1 ^ 0x646f72616e646f6dn,
    v2: k0 ^ 0x6c7967656e657261n,
    v3: k1 ^ 0x7465646279746573n,
  };
  for (const word of words(message)) {
    state.v3 ^= word;
    rounds(state, 2);
    state.v0 ^= word;
  }
  state.v2 ^= 0xffn;
  rounds(state, 4);
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

/** The message as 64-bit little-endian words; the last one carries the length in its top byte. */
function* words(message: Uint8Array): Generator<bigint> {
  const padded = new Uint8Array((Math.floor(message.length / 8) + 1) * 8);
  padded.set(message);
  padded[padded.length - 1] = message.length & 255;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 8) yield view.getBigUint64(at, true);
}

function rounds(s: State, count: number): void {
  for (let i = 0; i < count; i++) {
    s.v0 = (s.v0 + s.v1) & MASK;
    s.v1 = rotate(s.v1, 13n) ^ s.v0;
    s.v0 = rotate(s.v0, 32n);
    s.v2 = (s.v2 + s.v3) & MASK;
    s.v3 = rotate(s.v3, 16n) ^ s.v2;
    s.v0 = (s.v0 + s.v3) & MASK;
    s.v3 = rotate(s.v3, 21n) ^ s.v0;
    s.v2 = (s.v2 + s.v1) & MASK;
    s.v1 = rotate(s.v1, 17n) ^ s.v2;
    s.v2 = rotate(s.v2, 32n);
  }
}

/** Rotates left. */
function rotate(word: bigint, bits: bigint): bigint {
  return ((word << bits) & MASK) | (word >> (64n - bits));
}
