/**
 * The records of a message, one after the other, without making anything of them.
 *
 * @module
 * @see RFC 1035 section 4.1.3
 */
import {
  COUNT_BYTES,
  HEADER_BYTES,
  QDCOUNT_OFFSET,
  QUESTION_TAIL_BYTES,
  RR_FIXED_BYTES,
  RR_RDLENGTH_OFFSET,
} from "./layout.ts";
import { read16 } from "./query.ts";
import { skipName } from "./wire_name.ts";

/** Where a record stands: 1 answer, 2 authority, 3 additional. */
export type Section = 1 | 2 | 3;

const SECTIONS: readonly Section[] = [1, 2, 3];

/**
 * Visits every record of a message.
 *
 * @param visit Takes the section and the offset of the record's type: the fields are at `RR_…_OFFSET` from
 *   there, the data at `RR_FIXED_BYTES`. May change the TTL.
 * @returns Whether the message could be read to its end.
 */
export function walkRecords(
  message: Uint8Array,
  visit: (section: Section, fixedAt: number) => void,
): boolean {
  if (message.length < HEADER_BYTES) return false;
  let at = HEADER_BYTES;
  for (let left = read16(message, QDCOUNT_OFFSET); left > 0; left--) {
    at = skipName(message, at);
    if (at < 0 || at + QUESTION_TAIL_BYTES > message.length) return false;
    at += QUESTION_TAIL_BYTES;
  }
  for (const section of SECTIONS) {
    for (let left = read16(message, QDCOUNT_OFFSET + COUNT_BYTES * section); left > 0; left--) {
      const fixedAt = skipName(message, at);
      if (fixedAt < 0 || fixedAt + RR_FIXED_BYTES > message.length) return false;
      at = fixedAt + RR_FIXED_BYTES + read16(message, fixedAt + RR_RDLENGTH_OFFSET);
      if (at > message.length) return false;
      visit(section, fixedAt);
    }
  }
  return true;
}
