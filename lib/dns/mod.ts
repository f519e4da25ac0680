/**
 * DNS without a network: names, the wire format, zones, verdicts and their replies, resolver files.
 *
 * @module
 */

export { AnswerCache, answerKey } from "./answer_cache.ts";
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
} from "./codes.ts";
export { explain, formatAnswers } from "./explain.ts";
export {
  type Acceptance,
  acceptAnswer,
  claimsAddressIn,
  encodeForward,
  equalQuestion,
  hashQuestion,
  restoreAnswer,
  type RestoreOptions,
} from "./forward.ts";
export { DNS_MODES, type DnsMode } from "./mode.ts";
export { frameMessage, FrameSplitter } from "./framing.ts";
export { judge, judgeQuery } from "./judge.ts";
export {
  decodeMessage,
  type EdnsInfo,
  formatRdata,
  formatRecord,
  type Message,
  type ResourceRecord,
} from "./message.ts";
export {
  type DomainName,
  isBelow,
  isDomainName,
  NAME_MAX_LENGTH,
  parentOf,
  parseDomainName,
} from "./name.ts";
export { type NameEntry, NameTable, type NameTableOptions, type Trouble } from "./name_table.ts";
export {
  type HostsAction,
  type HostsSource,
  parseNsswitchHosts,
  resolveComesBeforeDns,
} from "./nsswitch.ts";
export {
  type Decoded,
  decodeQuery,
  encodeQuestion,
  HEADER_BYTES,
  keepQuery,
  type Query,
  type Question,
  questionOf,
  type QuestionOptions,
  UDP_MAX_BYTES,
  UDP_MIN_BYTES,
} from "./query.ts";
export {
  encodeReply,
  encodeVerdict,
  REPLY_MAX_BYTES,
  replyLimit,
  servfail,
  type Transport,
} from "./reply.ts";
export {
  MAX_NAMESERVERS,
  parseResolvConf,
  renderResolvConf,
  RESOLV_CONF_MAGIC,
  type ResolvConf,
  type ResolvConfPlan,
} from "./resolv_conf.ts";
export { parseReverseName, reverseName, reverseZones } from "./reverse.ts";
export {
  type Answer,
  ANSWER_TTL_SECONDS,
  NEGATIVE_TTL_SECONDS,
  type RuleId,
  type Verdict,
} from "./verdict.ts";
export { type Section, walkRecords } from "./records.ts";
export { decodeName, encodeName } from "./wire_name.ts";
export { objectionToZone, type Zone, ZoneTable } from "./zone.ts";
