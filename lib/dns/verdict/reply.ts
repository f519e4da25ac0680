/**
 * Verdicts as bytes, written into a buffer of the caller's.
 *
 * The question comes back byte for byte (so its letter case survives), and every name in a reply of ours
 * is a pointer into it, or the data of a PTR or NS record.
 *
 * @module
 * @see RFC 1035 section 4.1, RFC 2308, RFC 6891, RFC 8914
 */

import { type ExtendedError, FLAG, RCODE, RR_CLASS, RR_TYPE } from "../wire/codes.ts";
import type { DomainName } from "../name.ts";
import {
  ANCOUNT_OFFSET,
  ARCOUNT_OFFSET,
  EDE_INFO_CODE_BYTES,
  EDE_OPTION,
  FLAGS_OFFSET,
  HEADER_BYTES,
  ID_OFFSET,
  NSCOUNT_OFFSET,
  OPT_BYTES,
  OPTION_HEADER_BYTES,
  OPTION_LENGTH_OFFSET,
  POINTER_BITS,
  QDCOUNT_OFFSET,
  QUESTION_TAIL_BYTES,
  RCODE_MASK,
  RR_CLASS_OFFSET,
  RR_FIXED_BYTES,
  RR_RDLENGTH_OFFSET,
  RR_TTL_OFFSET,
  RR_TYPE_OFFSET,
} from "../wire/layout.ts";
import { type Query, UDP_MAX_BYTES, UDP_MIN_BYTES, write16, writeOpt } from "../wire/query.ts";
import { SOA_TAIL } from "./soa.ts";
import { type Answer, NEGATIVE_TTL_SECONDS, type Verdict } from "./verdict.ts";

/** How the client asked. */
export type Transport = "udp" | "tcp";

/** A buffer of this size takes every reply of ours. */
export const REPLY_MAX_BYTES = UDP_MAX_BYTES;

const TCP_MAX_BYTES = 65_535;
/** A name that is a pointer. */
const POINTER_BYTES = 2;
/** What stands before the data of a record of ours. */
const RECORD_BYTES = POINTER_BYTES + RR_FIXED_BYTES;
const SOA_RDATA_BYTES = POINTER_BYTES + SOA_TAIL.length;
const POINTER_TO_QUESTION = POINTER_BITS | HEADER_BYTES;
const EDE_HEAD_BYTES = OPTION_HEADER_BYTES + EDE_INFO_CODE_BYTES;
const EDE_TEXT_MAX_BYTES = 200;
const NO_ANSWERS: readonly Answer[] = [];
const encoder = new TextEncoder();
const edeText = new Uint8Array(EDE_TEXT_MAX_BYTES);

/** How many bytes this client may be sent. */
export function replyLimit(query: Query, transport: Transport): number {
  if (transport === "tcp") return TCP_MAX_BYTES;
  return query.edns ? Math.min(query.udpSizeBytes, UDP_MAX_BYTES) : UDP_MIN_BYTES;
}

/**
 * Writes the reply to a query at the start of `out`. Allocates nothing but for an extended error's text.
 *
 * @param out The caller's; `REPLY_MAX_BYTES` are always enough. Must not overlap the query's bytes.
 * @returns How many bytes were written.
 * @throws {TypeError} If the verdict is to forward: that reply is an upstream's.
 * @throws {RangeError} If `out` is too small.
 */
export function encodeReply(
  query: Query,
  verdict: Verdict,
  transport: Transport,
  out: Uint8Array,
): number {
  if (verdict.kind === "forward") {
    throw new TypeError("Cannot encode a reply: the verdict is to forward");
  }
  const rcode = rcodeOf(verdict);
  const answers = verdict.kind === "answer" ? verdict.answers : NO_ANSWERS;
  const soaZone = verdict.kind === "no-data" || verdict.kind === "nx-domain" ? verdict.zone : null;
  const limit = replyLimit(query, transport);
  const fixedBytes = query.questionEnd + (query.edns ? OPT_BYTES : 0);
  let wholeBytes = fixedBytes + (soaZone === null ? 0 : RECORD_BYTES + SOA_RDATA_BYTES);
  for (const answer of answers) wholeBytes += RECORD_BYTES + answer.rdata.length;
  const fits = wholeBytes <= limit;
  const neededBytes = fits ? wholeBytes : fixedBytes;
  if (out.length < neededBytes) {
    throw new RangeError(`Cannot encode a reply: ${neededBytes} bytes into ${out.length}`);
  }
  if (!fits) return writeTruncated(query, rcode, FLAG.AA | FLAG.RA, out);
  const authority = verdict.kind === "refuse" ? 0 : FLAG.AA;
  let at = writeHead(query, out, authority | FLAG.RA | (rcode & RCODE_MASK));
  write16(out, ANCOUNT_OFFSET, answers.length);
  write16(out, NSCOUNT_OFFSET, soaZone === null ? 0 : 1);
  for (const answer of answers) at = writeAnswer(out, at, answer);
  if (soaZone !== null) at = writeSoa(query, out, at, soaZone);
  if (!query.edns) return at;
  const error = "error" in verdict ? verdict.error : null;
  return writeEdns(query, out, at, { rcode, error, limit });
}

/** Writes the reply to a query in a fresh array; see `encodeReply`. */
export function encodeVerdict(
  query: Query,
  verdict: Verdict,
  options: { readonly transport: Transport },
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(REPLY_MAX_BYTES);
  return out.slice(0, encodeReply(query, verdict, options.transport, out));
}

/** Tells the client that no answer could be had, and why, in a fresh array. */
export function servfail(query: Query, error: ExtendedError | null): Uint8Array<ArrayBuffer> {
  const verdict = { kind: "refuse", rule: "outside", rcode: RCODE.SERVFAIL, error } as const;
  return encodeVerdict(query, verdict, { transport: "udp" });
}

/** A reply without records, in a fresh array: the client shall ask again over TCP. */
export function truncatedReply(
  query: Query,
  rcode: number,
  flags: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(query.questionEnd + OPT_BYTES);
  return out.slice(0, writeTruncated(query, rcode, flags, out));
}

function rcodeOf(verdict: Exclude<Verdict, { kind: "forward" }>): number {
  switch (verdict.kind) {
    case "answer":
    case "no-data":
      return RCODE.NOERROR;
    case "nx-domain":
      return RCODE.NXDOMAIN;
    case "refuse":
      return verdict.rcode;
    default:
      return verdict satisfies never;
  }
}

/** The OPT record stays when the rest goes (RFC 6891 section 7). */
function writeTruncated(query: Query, rcode: number, flags: number, out: Uint8Array): number {
  const at = writeHead(query, out, flags | FLAG.TC | (rcode & RCODE_MASK));
  return query.edns ? writeOwnOpt(query, out, at, { rcode, optionBytes: 0 }) : at;
}

/** Header and question; the flags RD and CD come back as they came (RFC 4035 section 3.2.2). */
function writeHead(query: Query, out: Uint8Array, flags: number): number {
  write16(out, ID_OFFSET, query.id);
  write16(out, FLAGS_OFFSET, FLAG.QR | flags | (query.flags & (FLAG.RD | FLAG.CD)));
  write16(out, QDCOUNT_OFFSET, 1);
  write16(out, ANCOUNT_OFFSET, 0);
  write16(out, NSCOUNT_OFFSET, 0);
  write16(out, ARCOUNT_OFFSET, query.edns ? 1 : 0);
  const { bytes, questionEnd } = query;
  for (let at = HEADER_BYTES; at < questionEnd; at++) out[at] = bytes[at] ?? 0;
  return questionEnd;
}

function writeAnswer(out: Uint8Array, at: number, answer: Answer): number {
  const { rdata } = answer;
  const start = writeRecordHead(
    out,
    at,
    POINTER_TO_QUESTION,
    answer.type,
    answer.ttlSeconds,
    rdata.length,
  );
  for (let i = 0; i < rdata.length; i++) out[start + i] = rdata[i] ?? 0;
  return start + rdata.length;
}

/** The zone's SOA; the zone is the end of the question's name, so both its mentions point there. */
function writeSoa(query: Query, out: Uint8Array, at: number, zone: DomainName): number {
  // on the wire a name takes two bytes more than its text: the first length and the root
  const nameEnd = query.questionEnd - QUESTION_TAIL_BYTES;
  const pointer = POINTER_BITS | (nameEnd - (zone.length + 2));
  const start = writeRecordHead(
    out,
    at,
    pointer,
    RR_TYPE.SOA,
    NEGATIVE_TTL_SECONDS,
    SOA_RDATA_BYTES,
  );
  write16(out, start, pointer);
  for (let i = 0; i < SOA_TAIL.length; i++) out[start + POINTER_BYTES + i] = SOA_TAIL[i] ?? 0;
  return start + SOA_RDATA_BYTES;
}

function writeRecordHead(
  out: Uint8Array,
  at: number,
  owner: number,
  type: number,
  ttlSeconds: number,
  rdataBytes: number,
): number {
  write16(out, at, owner);
  const fixed = at + POINTER_BYTES;
  write16(out, fixed + RR_TYPE_OFFSET, type);
  write16(out, fixed + RR_CLASS_OFFSET, RR_CLASS.IN);
  write16(out, fixed + RR_TTL_OFFSET, ttlSeconds >>> 16);
  write16(out, fixed + RR_TTL_OFFSET + 2, ttlSeconds);
  write16(out, fixed + RR_RDLENGTH_OFFSET, rdataBytes);
  return at + RECORD_BYTES;
}

/** The OPT record, with as much of the error's text as there is room for. */
function writeEdns(
  query: Query,
  out: Uint8Array,
  at: number,
  end: { rcode: number; error: ExtendedError | null; limit: number },
): number {
  const { rcode, error } = end;
  const room = Math.min(end.limit, out.length) - at - OPT_BYTES - EDE_HEAD_BYTES;
  if (error === null || room < 0) return writeOwnOpt(query, out, at, { rcode, optionBytes: 0 });
  const textBytes = encodeText(error.text, room);
  const optionBytes = EDE_HEAD_BYTES + textBytes;
  return writeError(
    out,
    writeOwnOpt(query, out, at, { rcode, optionBytes }),
    error.code,
    textBytes,
  );
}

function writeOwnOpt(
  query: Query,
  out: Uint8Array,
  at: number,
  opt: { rcode: number; optionBytes: number },
): number {
  return writeOpt(out, at, {
    udpSizeBytes: UDP_MAX_BYTES,
    dnssecOk: query.dnssecOk, // copied (RFC 3225 section 3)
    rcode: opt.rcode,
    optionBytes: opt.optionBytes,
  });
}

/** Puts the text into `edeText`, cut between characters. */
function encodeText(text: string, room: number): number {
  return encoder.encodeInto(text, edeText.subarray(0, room)).written;
}

function writeError(out: Uint8Array, at: number, code: number, textBytes: number): number {
  write16(out, at, EDE_OPTION);
  write16(out, at + OPTION_LENGTH_OFFSET, EDE_INFO_CODE_BYTES + textBytes);
  write16(out, at + OPTION_HEADER_BYTES, code);
  out.set(edeText.subarray(0, textBytes), at + EDE_HEAD_BYTES);
  return at + EDE_HEAD_BYTES + textBytes;
}
