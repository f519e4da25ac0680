/**
 * The records of a message, one after the other, without making anything of them.
 *
 * @module
 * @see RFC 1035 section 4.1.3
 */
import { HEADER_BYTES, read16 } from "./query.ts";
import { skipName } from "./wire_name.ts";

/** Where a record stands: 1 answer, 2 authority, 3 additional. */
export type Section = 1 | 2 | 3;

const SECTIONS: readonly Section[] = [1, 2, 3];
const TYPE_AND_CLASS_BYTES = 4;
const FIXED_BYTES = 10;

/**
 * Visits every record of a message.
 *
 * @param visit Takes the section and the offset of the record's type; class, TTL and the data's length follow
 *   there (2, 2, 4 and 2 bytes), then the data. May change the TTL.
 * @returns Whether the message could be read to its end.
 */
export function walkRecords(
  message: Uint8Array,
  visit: (section: Section, fixedAt: number) => void,
): boolean {
  if (message.length < HEADER_BYTES) return false;
  let at = HEADER_BYTES;
  for (let left = read16(message, 4); left > 0; left--) {
    at = skipName(message, at);
    if (at < 0 || at + TYPE_AND_CLASS_BYTES > message.length) return false;
    at += TYPE_AND_CLASS_BYTES;
  }
  for (const section of SECTIONS) {
    for (let left = read16(message, 4 + 2 * section); left > 0; left--) {
      const fixedAt = skipName(message, at);
      if (fixedAt < 0 || fixedAt + FIXED_BYTES > message.length) return false;
      at = fixedAt + FIXED_BYTES + read16(message, fixedAt + 8);
      if (at > message.length) return false;
      visit(section, fixedAt);
    }
  }
  return true;
}
