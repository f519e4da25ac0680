/**
 * A small memory from questions, as bytes, to verdicts. It belongs to one table and dies with it.
 *
 * @module
 */

import { HEADER_BYTES, QUESTION_TAIL_BYTES } from "../wire/layout.ts";
import { type Query } from "../wire/query.ts";
import type { Verdict } from "./verdict.ts";
import { equalFolded, hashFolded } from "../wire/wire_name.ts";

/** A power of two. Each slot holds one question; a newer one takes its place. */
const SLOTS = 8192;
/** Longer questions are not remembered. */
const SLOT_BYTES = 64;
/** Type and class, which are compared as they are: 0x41 is HTTPS there and no letter. */
const TAIL_BYTES = QUESTION_TAIL_BYTES;

/** The last verdict in each of a fixed number of slots; half a megabyte, and no garbage. */
export class VerdictMemo {
  /** The questions, slot after slot. */
  readonly #questions = new Uint8Array(SLOTS * SLOT_BYTES);
  readonly #lengths = new Uint8Array(SLOTS);
  readonly #verdicts = Array<Verdict | null>(SLOTS).fill(null);

  /** @returns The verdict about this very question, in any letter case, or `null`. */
  find(query: Query): Verdict | null {
    const { bytes, questionEnd } = query;
    const length = questionEnd - HEADER_BYTES;
    const slot = slotOf(query);
    if (this.#lengths[slot] !== length) return null;
    const start = slot * SLOT_BYTES;
    for (let at = length - TAIL_BYTES; at < length; at++) {
      if (bytes[HEADER_BYTES + at] !== this.#questions[start + at]) return null;
    }
    return equalFolded(bytes, HEADER_BYTES, this.#questions, start, length - TAIL_BYTES)
      ? this.#verdicts[slot] ?? null
      : null;
  }

  /** Remembers a verdict; the query's bytes are copied. */
  keep(query: Query, verdict: Verdict): void {
    const { bytes, questionEnd } = query;
    const length = questionEnd - HEADER_BYTES;
    if (length > SLOT_BYTES) return;
    const slot = slotOf(query);
    const start = slot * SLOT_BYTES;
    for (let at = 0; at < length; at++) this.#questions[start + at] = bytes[HEADER_BYTES + at] ?? 0;
    this.#lengths[slot] = length;
    this.#verdicts[slot] = verdict;
  }
}

function slotOf(query: Query): number {
  const hash = hashFolded(query.bytes, HEADER_BYTES, query.questionEnd);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}
