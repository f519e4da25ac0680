/**
 * Asking an upstream in a client's stead: the question out, the answer checked and handed on as bytes.
 *
 * @module
 * @see RFC 5452 section 9.1, draft-vixie-dnsext-dns0x20
 */

import { contains, decodeIp, type Prefix, unmapIp } from "../../ip/mod.ts";
import { FLAG, RCODE, RR_CLASS, RR_TYPE } from "../wire/codes.ts";
import {
  ARCOUNT_OFFSET,
  FLAGS_OFFSET,
  HEADER_BYTES,
  ID_OFFSET,
  NSCOUNT_OFFSET,
  OPCODE_MASK,
  OPT_BYTES,
  QDCOUNT_OFFSET,
  QUESTION_TAIL_BYTES,
  RCODE_MASK,
  RR_CLASS_OFFSET,
  RR_FIXED_BYTES,
  RR_RDLENGTH_OFFSET,
  RR_TYPE_OFFSET,
} from "../wire/layout.ts";
import { type Query, read16, UDP_MAX_BYTES, write16, writeOpt } from "../wire/query.ts";
import { walkRecords } from "../wire/records.ts";
import { replyLimit, type Transport, truncatedReply } from "../verdict/reply.ts";
import { equalFolded, hashFolded } from "../wire/wire_name.ts";

/** Failures that some servers send as a bare header, without the question. */
const BARE_RCODES: readonly number[] = [
  RCODE.FORMERR,
  RCODE.SERVFAIL,
  RCODE.NOTIMP,
  RCODE.REFUSED,
];

/** An answer that belongs to the question sent. */
export interface Acceptance {
  /** The header's four bits. */
  readonly rcode: number;
  /** The upstream has more to say over TCP. */
  readonly truncated: boolean;
  /**
   * The question came back in other letter case than it was sent. Believe it once, then stop mixing case
   * towards this upstream, for it folds names.
   */
  readonly folded: boolean;
}

/**
 * Writes the question for an upstream, in a fresh array: RD, AD, CD and DO as the client set them, the
 * client's other EDNS options left behind, for they are between neighbours (RFC 6891 section 6.1.1).
 *
 * @param options.id 16 random bits.
 * @param options.caseBits Random bytes; a set bit turns the letter at its place to the other case.
 */
export function encodeForward(
  query: Query,
  options: { readonly id: number; readonly caseBits?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const { questionEnd, edns, dnssecOk, udpSizeBytes } = query;
  const sent = new Uint8Array(questionEnd + (edns ? OPT_BYTES : 0));
  sent.set(query.bytes.subarray(0, questionEnd));
  write16(sent, ID_OFFSET, options.id);
  write16(sent, FLAGS_OFFSET, query.flags & (FLAG.RD | FLAG.AD | FLAG.CD));
  write16(sent, NSCOUNT_OFFSET, 0);
  write16(sent, ARCOUNT_OFFSET, edns ? 1 : 0);
  if (options.caseBits !== undefined) {
    mixCase(sent, questionEnd - QUESTION_TAIL_BYTES, options.caseBits);
  }
  if (edns) {
    writeOpt(sent, questionEnd, {
      udpSizeBytes: Math.min(udpSizeBytes, UDP_MAX_BYTES),
      dnssecOk,
      rcode: 0,
      optionBytes: 0,
    });
  }
  return sent;
}

/**
 * Tells whether bytes that came from an upstream answer what was sent there.
 *
 * @param sent What `encodeForward` made of the query.
 * @returns `null` if not: a stray, a forgery or noise; keep waiting.
 */
export function acceptAnswer(
  answer: Uint8Array,
  sent: Uint8Array,
  query: Query,
): Acceptance | null {
  if (answer.length < HEADER_BYTES) return null;
  if (read16(answer, ID_OFFSET) !== read16(sent, ID_OFFSET)) return null;
  const flags = read16(answer, FLAGS_OFFSET);
  if ((flags & FLAG.QR) === 0 || (flags & OPCODE_MASK) !== 0) return null;
  const rcode = flags & RCODE_MASK;
  const truncated = (flags & FLAG.TC) !== 0;
  if (read16(answer, QDCOUNT_OFFSET) === 0) {
    const bare = answer.length === HEADER_BYTES && BARE_RCODES.includes(rcode);
    return bare ? { rcode, truncated: false, folded: false } : null;
  }
  const { questionEnd } = query;
  if (read16(answer, QDCOUNT_OFFSET) !== 1 || answer.length < questionEnd) return null;
  const nameBytes = questionEnd - QUESTION_TAIL_BYTES - HEADER_BYTES;
  if (!equalFolded(answer, HEADER_BYTES, sent, HEADER_BYTES, nameBytes)) return null;
  for (let at = questionEnd - QUESTION_TAIL_BYTES; at < questionEnd; at++) {
    if (answer[at] !== sent[at]) return null; // type and class are not letters
  }
  let folded = false;
  for (let at = HEADER_BYTES; at < questionEnd; at++) folded ||= answer[at] !== sent[at];
  return { rcode, truncated, folded };
}

/** Tells whether two queries ask for the same name, in any letter case, type and class. */
export function equalQuestion(one: Query, other: Query): boolean {
  const { questionEnd } = one;
  if (other.questionEnd !== questionEnd) return false;
  for (let at = questionEnd - QUESTION_TAIL_BYTES; at < questionEnd; at++) {
    if (one.bytes[at] !== other.bytes[at]) return false; // type and class are not letters
  }
  const nameBytes = questionEnd - QUESTION_TAIL_BYTES - HEADER_BYTES;
  return equalFolded(one.bytes, HEADER_BYTES, other.bytes, HEADER_BYTES, nameBytes);
}

/** A number of 32 bits that queries with equal questions have in common. */
export function hashQuestion({ bytes, questionEnd }: Query): number {
  return hashFolded(bytes, HEADER_BYTES, questionEnd);
}

/** How `restoreAnswer` hands on an answer. */
export interface RestoreOptions {
  readonly transport: Transport;
  /** From the verdict: NXDOMAIN becomes "no data", for there are names of ours below (RFC 8020). */
  readonly emptyNonTerminal?: boolean;
}

/**
 * Makes an accepted answer the client's own: its id, its spelling of the question, nothing larger than it takes.
 *
 * @param answer Changed in place and returned, unless something shorter takes its place.
 */
export function restoreAnswer(
  answer: Uint8Array,
  query: Query,
  options: RestoreOptions,
): Uint8Array {
  const isBare = answer.length < query.questionEnd;
  const received = read16(answer, FLAGS_OFFSET);
  const softened = options.emptyNonTerminal === true && (received & RCODE_MASK) === RCODE.NXDOMAIN;
  const flags = softened ? received & ~RCODE_MASK : received;
  write16(answer, FLAGS_OFFSET, flags);
  if (isBare || answer.length > replyLimit(query, options.transport)) {
    const reply = truncatedReply(query, flags & RCODE_MASK, flags & (FLAG.RA | FLAG.AA));
    if (isBare) write16(reply, FLAGS_OFFSET, read16(reply, FLAGS_OFFSET) & ~FLAG.TC);
    return reply;
  }
  write16(answer, ID_OFFSET, query.id);
  answer.set(query.bytes.subarray(HEADER_BYTES, query.questionEnd), HEADER_BYTES);
  return answer;
}

/**
 * Tells whether a foreign answer carries an address of a virtual range: nobody but us may give those out.
 *
 * @returns Also `true` for an answer that cannot be read.
 */
export function claimsAddressIn(answer: Uint8Array, ranges: readonly Prefix[]): boolean {
  let claims = false;
  const readable = walkRecords(answer, (section, fixedAt) => {
    const type = read16(answer, fixedAt + RR_TYPE_OFFSET);
    if (section !== 1 || claims || (type !== RR_TYPE.A && type !== RR_TYPE.AAAA)) return;
    if (read16(answer, fixedAt + RR_CLASS_OFFSET) !== RR_CLASS.IN) return;
    const start = fixedAt + RR_FIXED_BYTES;
    const rdata = answer.subarray(start, start + read16(answer, fixedAt + RR_RDLENGTH_OFFSET));
    const address = decodeIp(rdata);
    claims = address !== null && ranges.some((range) => contains(range, unmapIp(address)));
  });
  return claims || !readable;
}

function mixCase(message: Uint8Array, nameEnd: number, bits: Uint8Array): void {
  for (let at = HEADER_BYTES; at < nameEnd; at++) {
    const byte = message[at] ?? 0;
    // a length byte is 63 at most, so it is never taken for a letter
    if (!((byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a))) continue;
    const place = at - HEADER_BYTES;
    const bit = ((bits[(place >> 3) % bits.length] ?? 0) >> (place & 7)) & 1;
    if (bit === 1) message[at] = byte ^ 0x20;
  }
}
