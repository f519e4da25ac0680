/**
 * The questions that are with upstreams in the spelling they were sent in, to know them when they come back.
 *
 * @module
 */
import { HEADER_BYTES, type Query } from "../../dns/mod.ts";
import type { Upstream } from "./upstream.ts";

/** A question that was sent. */
export interface SentQuestion {
  readonly upstream: Upstream;
  /** The message; the question ends before `questionEnd`. */
  readonly bytes: Uint8Array;
  readonly questionEnd: number;
  /** How many letters could have been spelled otherwise. */
  readonly letters: number;
}

/** Sent questions by their exact bytes. */
export class SentQuestions {
  readonly #byHash = new Map<number, SentQuestion>();

  /** @returns What to hand to `delete`, or `null` if this spelling says nothing. */
  add(upstream: Upstream, bytes: Uint8Array, query: Query): SentQuestion | null {
    const { questionEnd } = query;
    const letters = lettersOf(bytes, questionEnd - 4);
    // a client that asks again in the client's own or in a plain spelling must not look like an echo
    const mixed = letters.upper > 0 && letters.lower > 0;
    if (!mixed || isSame(bytes, query.bytes, questionEnd)) return null;
    const sent = { upstream, bytes, questionEnd, letters: letters.upper + letters.lower };
    this.#byHash.set(hashOf(bytes, questionEnd), sent);
    return sent;
  }

  delete(sent: SentQuestion): void {
    const hash = hashOf(sent.bytes, sent.questionEnd);
    if (this.#byHash.get(hash) === sent) this.#byHash.delete(hash);
  }

  /** @returns The question of ours with exactly the bytes of this one, or `null`. */
  find(query: Query): SentQuestion | null {
    if (this.#byHash.size === 0) return null;
    const { bytes, questionEnd } = query;
    const sent = this.#byHash.get(hashOf(bytes, questionEnd));
    if (sent === undefined || sent.questionEnd !== questionEnd) return null;
    return isSame(sent.bytes, bytes, questionEnd) ? sent : null;
  }
}

function isSame(one: Uint8Array, other: Uint8Array, questionEnd: number): boolean {
  for (let at = HEADER_BYTES; at < questionEnd; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** FNV-1a over the question. */
function hashOf(bytes: Uint8Array, questionEnd: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = HEADER_BYTES; at < questionEnd; at++) {
    hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  }
  return hash;
}

function lettersOf(bytes: Uint8Array, nameEnd: number): { upper: number; lower: number } {
  let upper = 0;
  let lower = 0;
  for (let at = HEADER_BYTES; at < nameEnd; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x41 && byte <= 0x5a) upper++;
    else if (byte >= 0x61 && byte <= 0x7a) lower++;
  }
  return { upper, lower };
}
