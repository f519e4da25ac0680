/**
 * What can become of a question.
 *
 * @module
 */

import type { ExtendedError } from "../wire/codes.ts";
import type { DomainName } from "../name.ts";

/** Address answers live this long: an OS cache must not outlive a change by much. */
export const ANSWER_TTL_SECONDS = 10;
/** "No such name" and "no such record" are remembered this long (RFC 2308). */
export const NEGATIVE_TTL_SECONDS = 5;

/** One record about the name that was asked for. */
export interface Answer {
  readonly type: number;
  readonly ttlSeconds: number;
  /** As on the wire, names uncompressed. */
  readonly rdata: Uint8Array;
}

/** Which rule gave a verdict; stable, shown by `vnet resolve`. */
export type RuleId =
  | "app-address"
  | "app-any"
  | "app-other-type"
  | "app-no-family"
  | "app-trouble"
  | "probe"
  | "proxy-name"
  | "zone-apex"
  | "private-apex"
  | "private-unknown"
  | "empty-non-terminal"
  | "zone-unknown"
  | "reverse-known"
  | "reverse-unknown"
  | "doh-canary"
  | "meta-type"
  | "foreign-class"
  | "outside";

/** What to do with one question. */
export type Verdict =
  | {
    readonly kind: "answer";
    readonly rule: RuleId;
    readonly zone: DomainName;
    readonly answers: readonly Answer[];
  }
  /** The name is there, records of this type are not. The zone's apex is the name itself or above it. */
  | { readonly kind: "no-data"; readonly rule: RuleId; readonly zone: DomainName }
  | {
    readonly kind: "nx-domain";
    readonly rule: RuleId;
    readonly zone: DomainName;
    readonly error: ExtendedError | null;
  }
  | {
    readonly kind: "forward";
    readonly rule: RuleId;
    /** The zone of ours the name lies in or is the apex of, if any. */
    readonly zone: DomainName | null;
    /** We have names below this one: if the upstream says NXDOMAIN, that becomes NODATA (RFC 8020). */
    readonly emptyNonTerminal: boolean;
  }
  | {
    readonly kind: "refuse";
    readonly rule: RuleId;
    /** REFUSED, SERVFAIL or NOTIMP. */
    readonly rcode: number;
    readonly error: ExtendedError | null;
  };
