/**
 * Answers of upstreams, kept for as long as their records live.
 *
 * @module
 * @see RFC 1035 section 7.4, RFC 2181 section 8, RFC 2308 section 5
 */
import { FLAG, RCODE, RR_TYPE } from "../wire/codes.ts";
import {
  ANCOUNT_OFFSET,
  FLAGS_OFFSET,
  HEADER_BYTES,
  RCODE_MASK,
  RR_FIXED_BYTES,
  RR_RDLENGTH_OFFSET,
  RR_TTL_OFFSET,
  RR_TYPE_OFFSET,
} from "../wire/layout.ts";
import { type Query, read16, write16 } from "../wire/query.ts";
import { walkRecords } from "../wire/records.ts";

/** Nothing is kept longer, whatever it says of itself. */
const MAX_TTL_SECONDS = 3600;
/** Larger answers are rare, and not worth the room. */
const ANSWER_MAX_BYTES = 4096;
/** The last number of an SOA (RFC 1035 section 3.3.13). */
const SOA_MINIMUM_BYTES = 4;

interface Entry {
  readonly answer: Uint8Array;
  readonly keptMs: number;
  readonly untilMs: number;
}

/**
 * What two queries have in common that may be given the same answer: the question in any letter case, and what
 * the client wants of the answer.
 */
export function answerKey(query: Query): string {
  const { name, type, class: rrClass } = query.question;
  const wanted = query.flags & (FLAG.RD | FLAG.AD | FLAG.CD);
  const edns = query.edns ? (query.dnssecOk ? 2 : 1) : 0;
  return `${wanted} ${edns} ${type} ${rrClass} ${name}`;
}

/** A bounded number of answers; the oldest make room. */
export class AnswerCache {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Entry>();

  constructor(options: { readonly maxEntries: number }) {
    this.#maxEntries = options.maxEntries;
  }

  /** How many answers are kept, dead ones included. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * @param key Of `answerKey`.
   * @returns A copy with its TTLs counted down and no authority of its own, or `null`.
   */
  find(key: string, nowMs: number): Uint8Array | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (nowMs >= entry.untilMs) {
      this.#entries.delete(key);
      return null;
    }
    const answer = entry.answer.slice();
    write16(answer, FLAGS_OFFSET, read16(answer, FLAGS_OFFSET) & ~FLAG.AA);
    const ageSeconds = Math.floor((nowMs - entry.keptMs) / 1000);
    walkRecords(answer, (_section, fixedAt) => {
      if (read16(answer, fixedAt + RR_TYPE_OFFSET) === RR_TYPE.OPT) return;
      const ttlAt = fixedAt + RR_TTL_OFFSET;
      const ttlSeconds = Math.max(readTtl(answer, ttlAt) - ageSeconds, 0);
      write16(answer, ttlAt, ttlSeconds >>> 16);
      write16(answer, ttlAt + 2, ttlSeconds);
    });
    return answer;
  }

  /** Keeps a copy of an answer, if it is one to keep. */
  keep(key: string, answer: Uint8Array, nowMs: number): void {
    const ttlSeconds = lifetimeOf(answer);
    if (ttlSeconds === 0 || answer.length > ANSWER_MAX_BYTES || this.#maxEntries === 0) return;
    this.#entries.delete(key);
    while (this.#entries.size >= this.#maxEntries) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, {
      answer: answer.slice(),
      keptMs: nowMs,
      untilMs: nowMs + ttlSeconds * 1000,
    });
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** @returns In seconds; 0 for what must not be kept: failures, half answers, what cannot be read. */
function lifetimeOf(answer: Uint8Array): number {
  if (answer.length < HEADER_BYTES) return 0;
  const flags = read16(answer, FLAGS_OFFSET);
  const rcode = flags & RCODE_MASK;
  const isWhole = (flags & FLAG.TC) === 0 && (rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN);
  if (!isWhole) return 0;
  let ttlSeconds = MAX_TTL_SECONDS;
  let hasSoa = false;
  const readable = walkRecords(answer, (section, fixedAt) => {
    const type = read16(answer, fixedAt + RR_TYPE_OFFSET);
    if (type === RR_TYPE.OPT) return;
    ttlSeconds = Math.min(ttlSeconds, readTtl(answer, fixedAt + RR_TTL_OFFSET));
    if (section !== 2 || type !== RR_TYPE.SOA) return;
    hasSoa = true;
    const end = fixedAt + RR_FIXED_BYTES + read16(answer, fixedAt + RR_RDLENGTH_OFFSET);
    ttlSeconds = Math.min(ttlSeconds, readTtl(answer, end - SOA_MINIMUM_BYTES));
  });
  const isNegative = rcode === RCODE.NXDOMAIN || read16(answer, ANCOUNT_OFFSET) === 0;
  return !readable || (isNegative && !hasSoa) ? 0 : ttlSeconds;
}

/** A TTL with its highest bit set counts as none (RFC 2181 section 8). */
function readTtl(bytes: Uint8Array, at: number): number {
  const high = read16(bytes, at);
  return high >= 0x8000 ? 0 : high * 65536 + read16(bytes, at + 2);
}
