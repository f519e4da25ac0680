/**
 * Whole messages, read for people and checks; the serving path does without.
 *
 * @module
 * @see RFC 1035 section 4.1
 */

import { decodeIp, formatIp } from "../../ip/mod.ts";
import { type ExtendedError, formatRrType, RR_TYPE } from "./codes.ts";
import {
  ANCOUNT_OFFSET,
  ARCOUNT_OFFSET,
  EDE_INFO_CODE_BYTES,
  EDE_OPTION,
  FLAGS_OFFSET,
  HEADER_BYTES,
  ID_OFFSET,
  NSCOUNT_OFFSET,
  OPT_DNSSEC_OK,
  OPTION_HEADER_BYTES,
  OPTION_LENGTH_OFFSET,
  QCLASS_BACK,
  QDCOUNT_OFFSET,
  QUESTION_TAIL_BYTES,
  RCODE_MASK,
  RR_CLASS_OFFSET,
  RR_FIXED_BYTES,
  RR_RDLENGTH_OFFSET,
  RR_TTL_OFFSET,
  RR_TYPE_OFFSET,
} from "./layout.ts";
import { type Question, read16 } from "./query.ts";
import { decodeName } from "./wire_name.ts";

/** One record. */
export interface ResourceRecord {
  /** As in `Question`. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  /** A view into the message; names inside may point out of it, see `rdataOffset`. */
  readonly rdata: Uint8Array;
  readonly rdataOffset: number;
}

/** What an OPT record says. */
export interface EdnsInfo {
  readonly udpSizeBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** The first extended error, if there is one. */
  readonly error: ExtendedError | null;
}

/** A message, questions or answers. */
export interface Message {
  readonly id: number;
  /** The header's second word. */
  readonly flags: number;
  /** With the upper bits of the OPT record. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: EdnsInfo | null;
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

/**
 * Reads a whole message. Never throws, whatever the bytes; the counts of the header are not trusted.
 *
 * @returns `null` if anything in it is broken. Bytes after the last record are ignored.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { RR_TYPE } from "./codes.ts";
 * import { decodeMessage } from "./message.ts";
 * import { encodeQuestion, questionOf } from "./query.ts";
 *
 * const bytes = encodeQuestion(questionOf("db.corp.example", RR_TYPE.AAAA), { id: 7 });
 * equal(decodeMessage(bytes)?.questions[0]?.type, RR_TYPE.AAAA);
 * equal(decodeMessage(bytes.subarray(0, 20)), null);
 * ```
 */
export function decodeMessage(bytes: Uint8Array): Message | null {
  if (bytes.length < HEADER_BYTES) return null;
  const cursor: Cursor = { bytes, at: HEADER_BYTES };
  const questions = readMany(cursor, read16(bytes, QDCOUNT_OFFSET), readQuestion);
  const answers = questions && readMany(cursor, read16(bytes, ANCOUNT_OFFSET), readRecord);
  const authorities = answers && readMany(cursor, read16(bytes, NSCOUNT_OFFSET), readRecord);
  const extras = authorities && readMany(cursor, read16(bytes, ARCOUNT_OFFSET), readRecord);
  if (!extras) return null;
  const opts = extras.filter((record) => record.type === RR_TYPE.OPT);
  const [opt] = opts;
  if (opts.length > 1 || (opt !== undefined && opt.name !== "")) return null;
  const highBits = opt === undefined ? 0 : Math.floor(opt.ttlSeconds / 2 ** 24);
  const flags = read16(bytes, FLAGS_OFFSET);
  return {
    id: read16(bytes, ID_OFFSET),
    flags,
    rcode: (highBits << 4) | (flags & RCODE_MASK),
    questions,
    answers,
    authorities,
    additionals: extras.filter((record) => record !== opt),
    edns: opt === undefined ? null : readEdnsInfo(opt),
  };
}

/**
 * Writes a record's data for people: addresses, names and texts as such, the rest in hexadecimal.
 *
 * @see RFC 3597 section 5
 */
export function formatRdata(message: Uint8Array, record: ResourceRecord): string {
  const { type, rdata, rdataOffset } = record;
  switch (type) {
    case RR_TYPE.A:
    case RR_TYPE.AAAA: {
      const address = decodeIp(rdata);
      if (address !== null) return formatIp(address);
      break;
    }
    case RR_TYPE.CNAME:
    case RR_TYPE.NS:
    case RR_TYPE.PTR:
    case RR_TYPE.DNAME: {
      const target = decodeName(message, rdataOffset);
      if (target !== null) return `${target.name}.`;
      break;
    }
    case RR_TYPE.TXT:
      return formatTexts(rdata);
  }
  const hex = [...rdata].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `\\# ${rdata.length} ${hex}`.trimEnd();
}

/** Writes a record on one line, like a zone file. */
export function formatRecord(message: Uint8Array, record: ResourceRecord): string {
  const { name, ttlSeconds, type } = record;
  return `${name}. ${ttlSeconds} IN ${formatRrType(type)} ${formatRdata(message, record)}`;
}

function readMany<Item>(
  cursor: Cursor,
  count: number,
  read: (cursor: Cursor) => Item | null,
): Item[] | null {
  const items: Item[] = [];
  for (let i = 0; i < count; i++) {
    const item = read(cursor);
    if (item === null) return null; // the first item that is not there ends it, whatever the count says
    items.push(item);
  }
  return items;
}

function readQuestion(cursor: Cursor): Question | null {
  const { bytes, at } = cursor;
  const decoded = decodeName(bytes, at);
  if (decoded === null || decoded.end + QUESTION_TAIL_BYTES > bytes.length) return null;
  cursor.at = decoded.end + QUESTION_TAIL_BYTES;
  return {
    name: decoded.name,
    type: read16(bytes, decoded.end),
    class: read16(bytes, decoded.end + QUESTION_TAIL_BYTES - QCLASS_BACK),
  };
}

function readRecord(cursor: Cursor): ResourceRecord | null {
  const { bytes, at } = cursor;
  const decoded = decodeName(bytes, at);
  if (decoded === null || decoded.end + RR_FIXED_BYTES > bytes.length) return null;
  const fixed = decoded.end;
  const rdataOffset = fixed + RR_FIXED_BYTES;
  const end = rdataOffset + read16(bytes, fixed + RR_RDLENGTH_OFFSET);
  if (end > bytes.length) return null;
  cursor.at = end;
  return {
    name: decoded.name,
    type: read16(bytes, fixed + RR_TYPE_OFFSET),
    class: read16(bytes, fixed + RR_CLASS_OFFSET),
    ttlSeconds: read16(bytes, fixed + RR_TTL_OFFSET) * 65536 +
      read16(bytes, fixed + RR_TTL_OFFSET + 2),
    rdata: bytes.subarray(rdataOffset, end),
    rdataOffset,
  };
}

function readEdnsInfo(opt: ResourceRecord): EdnsInfo {
  return {
    udpSizeBytes: opt.class,
    version: (opt.ttlSeconds >>> 16) & 255,
    dnssecOk: (opt.ttlSeconds & OPT_DNSSEC_OK) !== 0,
    error: readExtendedError(opt.rdata),
  };
}

function readExtendedError(options: Uint8Array): ExtendedError | null {
  for (let at = 0; at + OPTION_HEADER_BYTES <= options.length;) {
    const data = at + OPTION_HEADER_BYTES;
    const end = data + read16(options, at + OPTION_LENGTH_OFFSET);
    if (end > options.length) return null;
    if (read16(options, at) === EDE_OPTION && end >= data + EDE_INFO_CODE_BYTES) {
      return {
        code: read16(options, data),
        text: new TextDecoder().decode(options.subarray(data + EDE_INFO_CODE_BYTES, end)),
      };
    }
    at = end;
  }
  return null;
}

function formatTexts(rdata: Uint8Array): string {
  const texts: string[] = [];
  for (let at = 0; at < rdata.length;) {
    const end = at + 1 + (rdata[at] ?? 0);
    texts.push(JSON.stringify(new TextDecoder().decode(rdata.subarray(at + 1, end))));
    at = end;
  }
  return texts.join(" ");
}
