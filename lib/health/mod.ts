/**
 * Facts about a machine to findings with a cause and a fix. Measures nothing itself, so that every state of a
 * machine is a row of a table.
 *
 * @module
 */
export { CHECKS } from "./catalogue.ts";
export { isRangeTaken } from "./checks/leftover.ts";
export { formatMs } from "./duration.ts";
export { examine, isKnownPattern, type Selection, summarize, type Summary } from "./examine.ts";
export type {
  AskedServer,
  DaemonFacts,
  DaemonStatus,
  DnsChoiceFacts,
  Facts,
  FileFacts,
  JournalFacts,
  LinkFacts,
  ListenerFacts,
  Measured,
  NetworkFacts,
  Outcome,
  ProcessFacts,
  ProfileFacts,
  ProxyFacts,
  ResolvConfFacts,
  ResolvedLinkFacts,
  TargetFacts,
  WantedFacts,
  Way,
  ZoneFacts,
} from "./facts.ts";
export type { Check, Evidence, Finding, FindingStatus, Fix, Severity } from "./finding.ts";
