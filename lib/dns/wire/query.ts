/**
 * Questions that come in, and what is wrong with those that are not right.
 *
 * @module
 * @see RFC 1035 section 4.1, RFC 6891
 */

import { FLAG, RCODE, RR_CLASS, RR_TYPE } from "./codes.ts";
import {
  ANCOUNT_OFFSET,
  ARCOUNT_OFFSET,
  FLAGS_OFFSET,
  HEADER_BYTES,
  ID_OFFSET,
  NSCOUNT_OFFSET,
  OPCODE_MASK,
  OPT_BYTES,
  OPT_DNSSEC_OK,
  OPT_EXTENDED_RCODE_OFFSET,
  OPT_FLAGS_OFFSET,
  OPT_UDP_SIZE_OFFSET,
  OPT_VERSION_OFFSET,
  OPTION_HEADER_BYTES,
  OPTION_LENGTH_OFFSET,
  QCLASS_BACK,
  QDCOUNT_OFFSET,
  QTYPE_BACK,
  QUESTION_TAIL_BYTES,
  RR_FIXED_BYTES,
  RR_RDLENGTH_OFFSET,
  RR_TYPE_OFFSET,
} from "./layout.ts";
import { decodeName, encodeName, skipName, skipPlainName } from "./wire_name.ts";

/** What a peer without EDNS takes over UDP, and the least that EDNS may say. */
export const UDP_MIN_BYTES = 512;
/** What we say we take over UDP, and the most we send (DNS Flag Day 2020). */
export const UDP_MAX_BYTES = 1232;

/** A query has an OPT record and perhaps a signature; more is not a query. */
const MAX_ADDITIONALS = 4;

/** What is asked. */
export interface Question {
  /** Lower case, without trailing dot, odd bytes as `\DDD`; "" is the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

/** A query that is fit to be judged. It borrows the bytes it was read from: see `keepQuery`. */
export interface Query {
  readonly id: number;
  /** The header's second word as received. */
  readonly flags: number;
  /** Read from the bytes when first asked for. */
  readonly question: Question;
  /** The message; the question follows the header and ends before `questionEnd`. */
  readonly bytes: Uint8Array;
  readonly questionEnd: number;
  /** Whether the client sent an OPT record, and so may get one. */
  readonly edns: boolean;
  /** Wants DNSSEC records (the DO bit). */
  readonly dnssecOk: boolean;
  /** The largest UDP answer the client takes, 512 without EDNS. */
  readonly udpSizeBytes: number;
}

/** What became of a message. */
export type Decoded =
  | { readonly kind: "query"; readonly query: Query }
  /** Not a query we can serve; `reply` says so and is ready to be sent. */
  | { readonly kind: "error"; readonly rcode: number; readonly reply: Uint8Array }
  /** Nothing to answer: too short, or an answer itself. */
  | { readonly kind: "drop" };

const DROP: Decoded = { kind: "drop" };

interface Edns {
  readonly udpSizeBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

/**
 * Reads a message a client sent. Never throws, whatever the bytes.
 *
 * @param bytes One whole message without TCP's length; borrowed by the query that is returned.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { RR_TYPE } from "./codes.ts";
 * import { decodeQuery, encodeQuestion, questionOf } from "./query.ts";
 *
 * const bytes = encodeQuestion(questionOf("db.corp.example", RR_TYPE.A), { id: 7 });
 * const decoded = decodeQuery(bytes);
 * equal(decoded.kind === "query" && decoded.query.question.name, "db.corp.example");
 * equal(decodeQuery(bytes.subarray(0, 11)).kind, "drop"); // shorter than a header
 * ```
 */
export function decodeQuery(bytes: Uint8Array): Decoded {
  if (bytes.length < HEADER_BYTES) return DROP;
  const flags = read16(bytes, FLAGS_OFFSET);
  if ((flags & FLAG.QR) !== 0) return DROP;
  if ((flags & OPCODE_MASK) !== 0) return refusal(bytes, RCODE.NOTIMP);
  const authorities = read16(bytes, NSCOUNT_OFFSET);
  const additionals = read16(bytes, ARCOUNT_OFFSET);
  const countsFit = read16(bytes, QDCOUNT_OFFSET) === 1 && read16(bytes, ANCOUNT_OFFSET) === 0 &&
    authorities <= 1 &&
    additionals <= MAX_ADDITIONALS;
  const nameEnd = countsFit ? skipPlainName(bytes, HEADER_BYTES) : -1;
  const questionEnd = nameEnd + QUESTION_TAIL_BYTES;
  if (nameEnd < 0 || questionEnd > bytes.length) return refusal(bytes, RCODE.FORMERR);
  const additionalsAt = authorities === 0 ? questionEnd : skipVersion(bytes, questionEnd);
  if (additionalsAt < 0) return refusal(bytes, RCODE.FORMERR);
  const edns = additionals === 0 ? null : readEdns(bytes, additionalsAt, additionals);
  if (edns === "broken") return refusal(bytes, RCODE.FORMERR);
  const query = new ReceivedQuery(bytes, questionEnd, edns);
  if (edns !== null && edns.version !== 0) {
    return { kind: "error", rcode: RCODE.BADVERS, reply: badVersion(query) };
  }
  return { kind: "query", query };
}

/** Copies a query out of the buffer it was read from, to keep it beyond the next read. */
export function keepQuery(query: Query): Query {
  const { id, flags, question, questionEnd, edns, dnssecOk, udpSizeBytes } = query;
  const bytes = query.bytes.slice(0, questionEnd);
  return { id, flags, question, bytes, questionEnd, edns, dnssecOk, udpSizeBytes };
}

/** What `encodeQuestion` puts around a question. */
export interface QuestionOptions {
  /** 16 bits. */
  readonly id: number;
  /** Default true. */
  readonly recursionDesired?: boolean;
  /** Sends an OPT record with this UDP size; none if not given. */
  readonly udpSizeBytes?: number;
  /** Asks for DNSSEC records; needs `udpSizeBytes`. */
  readonly dnssecOk?: boolean;
}

/**
 * Writes a query of our own, in a fresh array.
 *
 * @throws {RangeError} If the name cannot be encoded.
 */
export function encodeQuestion(question: Question, options: QuestionOptions): Uint8Array {
  const { id, recursionDesired = true, udpSizeBytes, dnssecOk = false } = options;
  const name = encodeName(question.name);
  const end = HEADER_BYTES + name.length + QUESTION_TAIL_BYTES;
  const bytes = new Uint8Array(end + (udpSizeBytes === undefined ? 0 : OPT_BYTES));
  write16(bytes, ID_OFFSET, id);
  write16(bytes, FLAGS_OFFSET, recursionDesired ? FLAG.RD : 0);
  write16(bytes, QDCOUNT_OFFSET, 1);
  bytes.set(name, HEADER_BYTES);
  write16(bytes, end - QTYPE_BACK, question.type);
  write16(bytes, end - QCLASS_BACK, question.class);
  if (udpSizeBytes !== undefined) {
    write16(bytes, ARCOUNT_OFFSET, 1);
    writeOpt(bytes, end, { udpSizeBytes, dnssecOk, rcode: 0, optionBytes: 0 });
  }
  return bytes;
}

/** A question about a name in class IN. */
export function questionOf(name: string, type: number): Question {
  return { name, type, class: RR_CLASS.IN };
}

/**
 * Writes the fixed part of an OPT record.
 *
 * @returns The offset after it.
 * @see RFC 6891 section 6.1.2
 */
export function writeOpt(
  bytes: Uint8Array,
  offset: number,
  opt: { udpSizeBytes: number; dnssecOk: boolean; rcode: number; optionBytes: number },
): number {
  const fixed = offset + 1;
  bytes[offset] = 0;
  write16(bytes, fixed + RR_TYPE_OFFSET, RR_TYPE.OPT);
  write16(bytes, fixed + OPT_UDP_SIZE_OFFSET, opt.udpSizeBytes);
  bytes[fixed + OPT_EXTENDED_RCODE_OFFSET] = opt.rcode >> 4;
  bytes[fixed + OPT_VERSION_OFFSET] = 0;
  write16(bytes, fixed + OPT_FLAGS_OFFSET, opt.dnssecOk ? OPT_DNSSEC_OK : 0);
  write16(bytes, fixed + RR_RDLENGTH_OFFSET, opt.optionBytes);
  return offset + OPT_BYTES;
}

/** The type a query asks for, without reading its name. */
export function typeOf({ bytes, questionEnd }: Query): number {
  return read16(bytes, questionEnd - QTYPE_BACK);
}

/** Reads 16 bits; bytes beyond the end read as 0, so check the length first. */
export function read16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/** Writes 16 bits. */
export function write16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8;
  bytes[offset + 1] = value;
}

/** Makes the question's text only for those who look at it: most queries are known by their bytes. */
class ReceivedQuery implements Query {
  readonly id: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly questionEnd: number;
  readonly edns: boolean;
  readonly dnssecOk: boolean;
  readonly udpSizeBytes: number;
  #question: Question | null = null;

  constructor(bytes: Uint8Array, questionEnd: number, edns: Edns | null) {
    this.id = read16(bytes, ID_OFFSET);
    this.flags = read16(bytes, FLAGS_OFFSET);
    this.bytes = bytes;
    this.questionEnd = questionEnd;
    this.edns = edns !== null;
    this.dnssecOk = edns !== null && edns.dnssecOk;
    this.udpSizeBytes = edns === null ? UDP_MIN_BYTES : edns.udpSizeBytes;
  }

  get question(): Question {
    this.#question ??= {
      name: decodeName(this.bytes, HEADER_BYTES)?.name ?? "",
      type: read16(this.bytes, this.questionEnd - QTYPE_BACK),
      class: read16(this.bytes, this.questionEnd - QCLASS_BACK),
    };
    return this.#question;
  }
}

/**
 * Steps over what only IXFR has: the client's version of the zone, as the one authority (RFC 1995 section 3).
 *
 * @returns The offset after it, or -1 if this is no IXFR, or it is broken.
 */
function skipVersion(bytes: Uint8Array, questionEnd: number): number {
  if (read16(bytes, questionEnd - QTYPE_BACK) !== RR_TYPE.IXFR) return -1;
  const fixed = skipName(bytes, questionEnd);
  if (fixed < 0 || fixed + RR_FIXED_BYTES > bytes.length) return -1;
  const end = fixed + RR_FIXED_BYTES + read16(bytes, fixed + RR_RDLENGTH_OFFSET);
  return end > bytes.length ? -1 : end;
}

/** The OPT record among the additionals, `null` if there is none, `"broken"` if the section is. */
function readEdns(bytes: Uint8Array, offset: number, count: number): Edns | null | "broken" {
  let edns: Edns | null = null;
  let at = offset;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(bytes, at);
    if (fixed < 0 || fixed + RR_FIXED_BYTES > bytes.length) return "broken";
    const end = fixed + RR_FIXED_BYTES + read16(bytes, fixed + RR_RDLENGTH_OFFSET);
    if (end > bytes.length) return "broken";
    if (read16(bytes, fixed + RR_TYPE_OFFSET) === RR_TYPE.OPT) {
      if (edns !== null || bytes[at] !== 0 || !optionsFit(bytes, fixed + RR_FIXED_BYTES, end)) {
        return "broken";
      }
      edns = {
        udpSizeBytes: Math.max(read16(bytes, fixed + OPT_UDP_SIZE_OFFSET), UDP_MIN_BYTES),
        version: bytes[fixed + OPT_VERSION_OFFSET] ?? 0,
        dnssecOk: (read16(bytes, fixed + OPT_FLAGS_OFFSET) & OPT_DNSSEC_OK) !== 0,
      };
    }
    at = end;
  }
  return edns;
}

/** Unknown options are ignored (RFC 6891 section 6.1.2), but their lengths must add up. */
function optionsFit(bytes: Uint8Array, offset: number, end: number): boolean {
  let at = offset;
  while (at + OPTION_HEADER_BYTES <= end) {
    at += OPTION_HEADER_BYTES + read16(bytes, at + OPTION_LENGTH_OFFSET);
  }
  return at === end;
}

function refusal(bytes: Uint8Array, rcode: number): Decoded {
  const reply = new Uint8Array(HEADER_BYTES);
  write16(reply, ID_OFFSET, read16(bytes, ID_OFFSET));
  // the opcode and RD come back (RFC 1035 section 4.1.1); no question, for it may be what is wrong
  const kept = read16(bytes, FLAGS_OFFSET) & (OPCODE_MASK | FLAG.RD);
  write16(reply, FLAGS_OFFSET, FLAG.QR | kept | rcode);
  return { kind: "error", rcode, reply };
}

function badVersion(query: Query): Uint8Array {
  const reply = new Uint8Array(query.questionEnd + OPT_BYTES);
  reply.set(query.bytes.subarray(0, query.questionEnd));
  write16(reply, FLAGS_OFFSET, FLAG.QR | (query.flags & (FLAG.RD | FLAG.CD)));
  write16(reply, NSCOUNT_OFFSET, 0);
  write16(reply, ARCOUNT_OFFSET, 1);
  writeOpt(reply, query.questionEnd, {
    udpSizeBytes: UDP_MAX_BYTES,
    dnssecOk: query.dnssecOk,
    rcode: RCODE.BADVERS,
    optionBytes: 0,
  });
  return reply;
}
