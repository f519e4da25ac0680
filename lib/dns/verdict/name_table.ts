/**
 * Everything a question is judged by, compiled once from the plan and never changed.
 *
 * @module
 */

import { encodeIp, type IpAddress, type Ipv4, type Ipv6, type Prefix } from "../../ip/mod.ts";
import { EDE, type ExtendedError, RCODE, RR_TYPE } from "../wire/codes.ts";
import { type DomainName, parentOf } from "../name.ts";
import { ReverseTable } from "./reverse_table.ts";
import { type Answer, ANSWER_TTL_SECONDS, type RuleId, type Verdict } from "./verdict.ts";
import { VerdictMemo } from "./verdict_memo.ts";
import { type Zone, ZoneTable } from "./zone.ts";

/** Why a name that is ours has no usable address, in words for the person who asks. */
export interface Trouble {
  readonly kind: "not-logged-in" | "access-denied" | "app-removed" | "no-address";
  /** One short phrase, sent in the DNS answer: `not logged in to prod, run: vnet login …`. */
  readonly text: string;
}

/** A name of ours. */
export interface NameEntry {
  readonly ipv4: Ipv4 | null;
  readonly ipv6: Ipv6 | null;
  /** Given instead of an answer. Without it, a name with no address at all counts as `no-address`. */
  readonly trouble?: Trouble;
}

/** What a `NameTable` is made of. */
export interface NameTableOptions {
  readonly zones: readonly Zone[];
  /** Names outside every zone are ignored: a cluster has no say there. */
  readonly names: ReadonlyMap<DomainName, NameEntry>;
  /** Names that keep their public answers whatever else is said, such as the proxies' own. */
  readonly excluded?: readonly DomainName[];
  /** Virtual ranges whose reverse names are ours. */
  readonly reverse?: readonly Prefix[];
  /** What `vnet-diag-<hex>.<zone>` resolves to; without it such names are like any other. */
  readonly probe?: { readonly ipv4: Ipv4 | null; readonly ipv6: Ipv6 | null };
  /** Tells browsers not to bypass us (`use-application-dns.net`); only when all DNS passes through us. */
  readonly canary?: boolean;
}

/** The verdicts about one name, ready before it is asked for. */
export interface OwnedName {
  readonly kind: "owned";
  readonly zone: DomainName;
  readonly a: Verdict;
  readonly aaaa: Verdict;
  readonly any: Verdict;
  readonly other: Verdict;
}

/** What the table knows of one name. */
type KnownName =
  | OwnedName
  | { readonly kind: "excluded"; readonly verdict: Verdict }
  /** Nothing itself, but something below it. */
  | { readonly kind: "empty" };

const PROBE_LABEL = /^vnet-diag-[0-9a-f]{1,53}\./;
const EMPTY: KnownName = { kind: "empty" };
const NO_ADDRESS: Trouble = { kind: "no-address", text: "no free address for this name" };

/** Names, zones and ranges. Making one of ten thousand names takes some tens of milliseconds. */
export class NameTable {
  readonly zones: ZoneTable;
  readonly reverse: ReverseTable;
  /** The virtual ranges: no upstream has a say over their addresses. */
  readonly ranges: readonly Prefix[];
  readonly canary: boolean;
  /** Verdicts given lately, so that the same question need not be thought about again. */
  readonly memo = new VerdictMemo();
  readonly #known = new Map<string, KnownName>();
  readonly #probe: NameEntry | null;

  constructor(options: NameTableOptions) {
    const { zones, names, excluded = [], reverse = [], probe, canary = false } = options;
    this.zones = new ZoneTable(zones);
    this.ranges = reverse;
    this.canary = canary;
    this.#probe = probe ?? null;
    const addresses: [IpAddress, DomainName][] = [];
    for (const name of excluded) this.#exclude(name);
    for (const [name, entry] of names) {
      if (!this.#own(name, entry)) continue;
      if (entry.ipv4 !== null) addresses.push([entry.ipv4, name]);
      if (entry.ipv6 !== null) addresses.push([entry.ipv6, name]);
    }
    this.reverse = new ReverseTable(reverse, addresses);
  }

  /** @returns What is known of exactly this name, or `null`. */
  find(name: string): KnownName | null {
    return this.#known.get(name) ?? null;
  }

  /** @returns The verdicts about a probe name in a zone of ours, or `null` if it is none. */
  findProbe(name: string, zone: Zone): OwnedName | null {
    if (this.#probe === null || !PROBE_LABEL.test(name)) return null;
    return ownedName(zone.suffix, this.#probe, "probe");
  }

  #exclude(name: DomainName): void {
    const zone = this.zones.match(name) ?? this.zones.atApex(name);
    this.#known.set(name, {
      kind: "excluded",
      verdict: {
        kind: "forward",
        rule: "proxy-name",
        zone: zone?.suffix ?? null,
        emptyNonTerminal: false,
      },
    });
    this.#addAncestors(name);
  }

  /** @returns Whether the name is inside a zone and not excluded. */
  #own(name: DomainName, entry: NameEntry): boolean {
    const zone = this.zones.match(name);
    if (zone === null || this.#known.get(name)?.kind === "excluded") return false;
    this.#known.set(name, ownedName(zone.suffix, entry, "app-address"));
    this.#addAncestors(name);
    return true;
  }

  #addAncestors(name: DomainName): void {
    for (let up = parentOf(name); up !== null; up = parentOf(up)) {
      if (this.#known.has(up) || this.zones.match(up) === null) break;
      this.#known.set(up, EMPTY);
    }
  }
}

function ownedName(zone: DomainName, entry: NameEntry, rule: RuleId): OwnedName {
  const trouble = entry.trouble ?? (entry.ipv4 === null && entry.ipv6 === null ? NO_ADDRESS : null);
  if (trouble !== null && rule !== "probe") {
    const verdict = troubleVerdict(zone, trouble);
    return { kind: "owned", zone, a: verdict, aaaa: verdict, any: verdict, other: verdict };
  }
  const a = addressAnswers(RR_TYPE.A, entry.ipv4);
  const aaaa = addressAnswers(RR_TYPE.AAAA, entry.ipv6);
  const noFamily: Verdict = { kind: "no-data", rule: "app-no-family", zone };
  const otherRule = rule === "probe" ? "probe" : "app-other-type";
  const anyRule = rule === "probe" ? "probe" : "app-any";
  return {
    kind: "owned",
    zone,
    a: a.length === 0 ? noFamily : { kind: "answer", rule, zone, answers: a },
    aaaa: aaaa.length === 0 ? noFamily : { kind: "answer", rule, zone, answers: aaaa },
    any: a.length + aaaa.length === 0
      ? noFamily
      : { kind: "answer", rule: anyRule, zone, answers: [...a, ...aaaa] },
    other: { kind: "no-data", rule: otherRule, zone },
  };
}

function addressAnswers(type: number, address: IpAddress | null): readonly Answer[] {
  if (address === null) return [];
  return [{ type, ttlSeconds: ANSWER_TTL_SECONDS, rdata: encodeIp(address) }];
}

function troubleVerdict(zone: DomainName, trouble: Trouble): Verdict {
  const error = (code: number): ExtendedError => ({ code, text: trouble.text });
  const rule = "app-trouble";
  switch (trouble.kind) {
    case "not-logged-in":
    case "access-denied":
      return { kind: "refuse", rule, rcode: RCODE.REFUSED, error: error(EDE.PROHIBITED) };
    case "app-removed":
      return { kind: "nx-domain", rule, zone, error: error(EDE.OTHER) };
    case "no-address":
      return { kind: "refuse", rule, rcode: RCODE.SERVFAIL, error: error(EDE.OTHER) };
    default:
      return trouble.kind satisfies never;
  }
}
