/**
 * What the TXT records of a zone said, and for how long that is believed. Pure.
 *
 * @module
 */
import { decodeMessage, type DomainName, formatRcode, RCODE, RR_TYPE } from "../dns/mod.ts";
import type { ZoneProof } from "./knowledge.ts";

/** What came of asking for the TXT records of a zone. */
export type TxtOutcome =
  | { readonly kind: "answer"; readonly names: readonly string[] }
  /** It says nothing about the zone: a timeout, SERVFAIL, REFUSED and the like. */
  | { readonly kind: "failed"; readonly why: string };

/** What is remembered of one zone's TXT records. */
export interface ZoneRecord {
  readonly suffix: DomainName;
  readonly names: ZoneProof["names"];
  /** When they were last read; `null`: never. */
  readonly answeredMs: number | null;
  /** When they were last asked for. */
  readonly askedMs: number;
  readonly failure: string | null;
}

/** What nobody answered yet. */
export const EMPTY_PROOF: ZoneProof = { names: [], failure: null };

/** So long a grant outlives the last answer, while questions fail. */
export const KEEP_MS = 24 * 3_600_000;

const ASK_GRANTED_MS = 10 * 60_000;
const ASK_OTHERS_MS = 2 * 60_000;

/** How many records of a zone are looked at, and how many names kept. */
const MAX_RECORDS = 100;
const MAX_NAMES = 16;
const MAX_NAME_LENGTH = 253;

const RECORD = /^(?:teleport|vnet)-cluster=(.*)$/i;

/** Reads an upstream's answer to a question for TXT records. NXDOMAIN and no record are answers. */
export function readTxtAnswer(bytes: Uint8Array): TxtOutcome {
  const message = decodeMessage(bytes);
  if (message === null) return { kind: "failed", why: "the answer cannot be read" };
  if (message.rcode === RCODE.NXDOMAIN) return { kind: "answer", names: [] };
  if (message.rcode !== RCODE.NOERROR) {
    return { kind: "failed", why: `the resolver answers ${formatRcode(message.rcode)}` };
  }
  const records = message.answers.filter(({ type }) => type === RR_TYPE.TXT);
  return readTxtTexts(records.slice(0, MAX_RECORDS).map(({ rdata }) => joinStrings(rdata)));
}

/** Reads the texts of TXT records. */
export function readTxtTexts(texts: readonly string[]): TxtOutcome {
  const names = texts.slice(0, MAX_RECORDS).flatMap((text) => {
    const [, name = ""] = RECORD.exec(text.trim()) ?? [];
    const plain = name.trim().toLowerCase();
    return plain === "" || plain.length > MAX_NAME_LENGTH ? [] : [plain];
  });
  return { kind: "answer", names: [...new Set(names)].sort().slice(0, MAX_NAMES) };
}

/** What is remembered after one more question. */
export function noteOutcome(
  before: ZoneRecord | null,
  suffix: DomainName,
  outcome: TxtOutcome,
  nowMs: number,
): ZoneRecord {
  const known = before?.names ?? [];
  if (outcome.kind === "failed") {
    const answeredMs = before?.answeredMs ?? null;
    return { suffix, names: known, answeredMs, askedMs: nowMs, failure: outcome.why };
  }
  const sinceOf = (name: string) => known.find((one) => one.name === name)?.sinceMs ?? nowMs;
  const names = outcome.names.map((name) => ({ name, sinceMs: sinceOf(name) }));
  return { suffix, names, answeredMs: nowMs, askedMs: nowMs, failure: null };
}

/** What a record is taken to say at this moment: not for ever what nobody confirms. */
export function believedProof(record: ZoneRecord, nowMs: number): ZoneProof {
  const { names, failure, answeredMs } = record;
  const isFresh = answeredMs !== null && nowMs - answeredMs <= KEEP_MS;
  if (isFresh) return { names, failure };
  return { names: [], failure: failure ?? "the last answer is too old" };
}

/** When a zone is to be asked for again. A clock that was set back does not put it off. */
export function nextQuestionMs(record: ZoneRecord, nowMs: number): number {
  const { names, askedMs, answeredMs, failure } = record;
  if (askedMs > nowMs) return nowMs;
  const pace = names.length > 0 && failure === null ? ASK_GRANTED_MS : ASK_OTHERS_MS;
  const end = names.length > 0 && answeredMs !== null ? answeredMs + KEEP_MS + 1 : Infinity;
  return Math.min(askedMs + pace, end > nowMs ? end : Infinity);
}

/** The strings of a TXT record are one text (RFC 7208 section 3.3 has it so, too). */
function joinStrings(rdata: Uint8Array): string {
  let text = "";
  for (let at = 0; at < rdata.length;) {
    const length = rdata[at] ?? 0;
    const bytes = rdata.subarray(at + 1, at + 1 + length);
    text += String.fromCharCode(...bytes);
    at += 1 + length;
  }
  return text;
}
