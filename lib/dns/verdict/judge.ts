/**
 * Decides what to do with a question. What we do not publish, someone else may: it is forwarded.
 *
 * @module
 */

import { bitsOf } from "../../ip/mod.ts";
import { EDE, RCODE, RR_CLASS, RR_TYPE } from "../wire/codes.ts";
import type { NameTable, OwnedName } from "./name_table.ts";
import { type Query, type Question, typeOf } from "../wire/query.ts";
import type { Transport } from "./reply.ts";
import { soaRdata } from "./soa.ts";
import { parseReverseName, reverseZoneOf } from "./reverse.ts";
import { ANSWER_TTL_SECONDS, NEGATIVE_TTL_SECONDS, type RuleId, type Verdict } from "./verdict.ts";
import { encodeName } from "../wire/wire_name.ts";
import type { DomainName } from "../name.ts";
import type { Zone } from "./zone.ts";

/** Browsers that ask for it keep to the OS resolver if it does not exist. */
const CANARY = "use-application-dns.net" as DomainName;

const OUTSIDE: Verdict = {
  kind: "forward",
  rule: "outside",
  zone: null,
  emptyNonTerminal: false,
};
const ABOVE: Verdict = { ...OUTSIDE, emptyNonTerminal: true };
const META_TYPE: Verdict = {
  kind: "refuse",
  rule: "meta-type",
  rcode: RCODE.NOTIMP,
  error: null,
};
const TRANSFER: Verdict = {
  kind: "refuse",
  rule: "meta-type",
  rcode: RCODE.REFUSED,
  error: { code: EDE.PROHIBITED, text: "zone transfers are not offered" },
};
/** RFC 5936 section 4.2 does not define it; IXFR is, for UDP too (RFC 1995 section 2). */
const TRANSFER_OVER_UDP: Verdict = {
  kind: "refuse",
  rule: "meta-type",
  rcode: RCODE.FORMERR,
  error: { code: EDE.NOT_SUPPORTED, text: "AXFR is defined for TCP alone" },
};
const FOREIGN_CLASS: Verdict = {
  kind: "refuse",
  rule: "foreign-class",
  rcode: RCODE.REFUSED,
  error: null,
};

/**
 * Decides what to do with one question; asks nobody and remembers nothing.
 *
 * @param transport How it was asked, which matters for AXFR alone.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { parseIpv4 } from "../../ip/mod.ts";
 * import { parseDomainName } from "../name.ts";
 * import { RR_TYPE } from "../wire/codes.ts";
 * import { questionOf } from "../wire/query.ts";
 * import { judge } from "./judge.ts";
 * import { NameTable } from "./name_table.ts";
 *
 * const table = new NameTable({
 *   zones: [{ suffix: parseDomainName("corp.example"), private: false }],
 *   names: new Map([
 *     [parseDomainName("db.corp.example"), { ipv4: parseIpv4("100.64.0.7"), ipv6: null }],
 *   ]),
 * });
 * equal(judge(questionOf("db.corp.example", RR_TYPE.A), table).kind, "answer");
 * equal(judge(questionOf("db.corp.example", RR_TYPE.AAAA), table).kind, "no-data");
 * equal(judge(questionOf("www.example.net", RR_TYPE.A), table).kind, "forward");
 * ```
 */
export function judge(
  question: Question,
  table: NameTable,
  transport: Transport = "tcp",
): Verdict {
  const { name, type } = question;
  if (question.class !== RR_CLASS.IN) return judgeClass(question, table);
  const known = table.find(name);
  if (known?.kind === "owned" && !isMeta(type)) return judgeOwned(type, known);
  if (isMeta(type)) return judgeMeta(type, transport);
  if (known?.kind === "excluded") return known.verdict;
  const zone = table.zones.match(name);
  const apex = table.zones.atApex(name);
  if (apex !== null) return judgeApex(type, apex);
  const isEmpty = known?.kind === "empty" || table.zones.anyBelow(name);
  if (zone !== null) return judgeInside(question, zone, isEmpty, table);
  if (table.canary && name === CANARY) {
    return { kind: "nx-domain", rule: "doh-canary", zone: CANARY, error: null };
  }
  return judgeReverse(question, table) ?? (table.zones.anyBelow(name) ? ABOVE : OUTSIDE);
}

/** Decides what to do with a query as `judge` does, at once if the question was there lately. */
export function judgeQuery(query: Query, table: NameTable, transport: Transport): Verdict {
  if (typeOf(query) === RR_TYPE.AXFR) return judge(query.question, table, transport);
  const known = table.memo.find(query);
  if (known !== null) return known;
  const verdict = judge(query.question, table);
  table.memo.keep(query, verdict);
  return verdict;
}

/** What is neither data nor ANY: OPT, and 128 to 254 (RFC 6895 section 3.1). */
function isMeta(type: number): boolean {
  return type === RR_TYPE.OPT || (type >= 128 && type <= 254);
}

function judgeMeta(type: number, transport: Transport): Verdict {
  switch (type) {
    case RR_TYPE.AXFR:
      return transport === "udp" ? TRANSFER_OVER_UDP : TRANSFER;
    case RR_TYPE.IXFR:
      return TRANSFER;
    default:
      return META_TYPE;
  }
}

function judgeOwned(type: number, owned: OwnedName): Verdict {
  switch (type) {
    case RR_TYPE.A:
      return owned.a;
    case RR_TYPE.AAAA:
      return owned.aaaa;
    case RR_TYPE.ANY:
      return owned.any;
    default:
      // HTTPS and SVCB above all: another's answer would lead browsers past us
      return owned.other;
  }
}

/** CHAOS asks about this very server, never about another; the rest must not tell our names abroad. */
function judgeClass(question: Question, table: NameTable): Verdict {
  if (question.class === RR_CLASS.CH) return FOREIGN_CLASS;
  const ours = table.find(question.name)?.kind === "owned" ||
    table.zones.match(question.name)?.private === true;
  return ours ? FOREIGN_CLASS : OUTSIDE;
}

/** The apex of a public zone keeps its public answers; that of a private one has nobody else to give any. */
function judgeApex(type: number, apex: Zone): Verdict {
  const zone = apex.suffix;
  if (!apex.private) {
    return { kind: "forward", rule: "zone-apex", zone, emptyNonTerminal: true };
  }
  const rule = "private-apex";
  switch (type) {
    case RR_TYPE.SOA:
    case RR_TYPE.ANY: {
      const answer = { type: RR_TYPE.SOA, ttlSeconds: NEGATIVE_TTL_SECONDS, rdata: soaRdata(zone) };
      return { kind: "answer", rule, zone, answers: [answer] };
    }
    case RR_TYPE.NS: {
      const answer = { type, ttlSeconds: ANSWER_TTL_SECONDS, rdata: encodeName(zone) };
      return { kind: "answer", rule, zone, answers: [answer] };
    }
    default:
      return { kind: "no-data", rule, zone };
  }
}

function judgeInside(question: Question, zone: Zone, isEmpty: boolean, table: NameTable): Verdict {
  const probe = table.findProbe(question.name, zone);
  if (probe !== null) return judgeOwned(question.type, probe);
  if (!zone.private) {
    const rule = isEmpty ? "empty-non-terminal" : "zone-unknown";
    return { kind: "forward", rule, zone: zone.suffix, emptyNonTerminal: isEmpty };
  }
  if (isEmpty) return { kind: "no-data", rule: "empty-non-terminal", zone: zone.suffix };
  return { kind: "nx-domain", rule: "private-unknown", zone: zone.suffix, error: null };
}

/** @returns `null` if the name is no reverse name of a range of ours. */
function judgeReverse(question: Question, table: NameTable): Verdict | null {
  const covered = parseReverseName(question.name);
  const range = covered === null ? null : table.reverse.rangeOf(covered);
  if (covered === null || range === null) return null;
  const { address, length } = covered;
  const zone = reverseZoneOf(range, address);
  const isWhole = length === bitsOf(address.family);
  const name = isWhole ? table.reverse.nameOf(address) : null;
  const exists = isWhole ? name !== null : zone === question.name || table.reverse.anyIn(covered);
  const rule: RuleId = exists ? "reverse-known" : "reverse-unknown";
  if (!exists) return { kind: "nx-domain", rule, zone, error: null };
  if (name !== null && (question.type === RR_TYPE.PTR || question.type === RR_TYPE.ANY)) {
    const answer = { type: RR_TYPE.PTR, ttlSeconds: ANSWER_TTL_SECONDS, rdata: encodeName(name) };
    return { kind: "answer", rule, zone, answers: [answer] };
  }
  return { kind: "no-data", rule, zone };
}
