/**
 * DNS without a network: names, the wire format, zones, verdicts and their replies, resolver files.
 *
 * @module
 */

export { AnswerCache, answerKey } from "./forward/answer_cache.ts";
export {
  EDE,
  type ExtendedError,
  FLAG,
  formatRcode,
  formatRrType,
  parseRrType,
  RCODE,
  RR_CLASS,
  RR_TYPE,
} from "./wire/codes.ts";
export { explain, formatAnswers } from "./verdict/explain.ts";
export {
  type Acceptance,
  acceptAnswer,
  claimsAddressIn,
  encodeForward,
  equalQuestion,
  hashQuestion,
  restoreAnswer,
  type RestoreOptions,
} from "./forward/forward.ts";
export { DNS_MODES, type DnsMode } from "./mode.ts";
export { frameMessage, FrameSplitter } from "./wire/framing.ts";
export { judge, judgeQuery } from "./verdict/judge.ts";
export {
  decodeMessage,
  type EdnsInfo,
  formatRdata,
  formatRecord,
  type Message,
  type ResourceRecord,
} from "./wire/message.ts";
export {
  type DomainName,
  isBelow,
  isDomainName,
  NAME_MAX_LENGTH,
  parentOf,
  parseDomainName,
} from "./name.ts";
export {
  type NameEntry,
  NameTable,
  type NameTableOptions,
  type Trouble,
} from "./verdict/name_table.ts";
export {
  type HostsAction,
  type HostsSource,
  parseNsswitchHosts,
  resolveComesBeforeDns,
} from "./resolver_files/nsswitch.ts";
export {
  type Decoded,
  decodeQuery,
  encodeQuestion,
  keepQuery,
  type Query,
  type Question,
  questionOf,
  type QuestionOptions,
  UDP_MAX_BYTES,
  UDP_MIN_BYTES,
} from "./wire/query.ts";
export {
  encodeReply,
  encodeVerdict,
  REPLY_MAX_BYTES,
  replyLimit,
  servfail,
  type Transport,
} from "./verdict/reply.ts";
export {
  MAX_NAMESERVERS,
  parseResolvConf,
  renderResolvConf,
  RESOLV_CONF_MAGIC,
  type ResolvConf,
  type ResolvConfPlan,
} from "./resolver_files/resolv_conf.ts";
export { parseReverseName, reverseName, reverseZones } from "./verdict/reverse.ts";
export {
  type Answer,
  ANSWER_TTL_SECONDS,
  NEGATIVE_TTL_SECONDS,
  type RuleId,
  type Verdict,
} from "./verdict/verdict.ts";
export { type Section, walkRecords } from "./wire/records.ts";
export { decodeName, encodeName } from "./wire/wire_name.ts";
export { objectionToZone, type Zone, ZoneTable } from "./verdict/zone.ts";
