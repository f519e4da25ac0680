/**
 * Which name has which address. A book is a value: giving addresses makes the next one. An address that a program
 * remembers never comes to mean another machine, not even after a restart.
 *
 * @module
 */
import { z } from "zod";
import { AddressPool, type LeaseRecord, peerAddress, selfAddress, twin } from "../../cidr/mod.ts";
import type { DomainName } from "../../dns/mod.ts";
import {
  formatIp,
  formatPrefix,
  type Ipv4,
  type Ipv6,
  overlaps,
  parsePrefix,
  type Prefix,
} from "../../ip/mod.ts";
import type { Plan } from "../../plan/mod.ts";

/** How many random bytes a new book takes: 16 for the key, 5 for the ULA's global ID. */
export const BOOK_RANDOM_BYTES = 21;
const KEY_BYTES = 16;
/** How many ranges that no cluster has now are remembered. */
const MAX_FORMER_RANGES = 8;

const BookSchema = z.object({
  schema: z.literal("vnet.leases/1"),
  /** Keys the hash that chooses addresses: hex, 16 bytes. */
  key: z.string().regex(/^[0-9a-f]{32}$/),
  ipv6_prefix: z.string(),
  /** Ranges that lay in somebody's way, and where they are instead. */
  places: z.array(z.object({ wanted: z.string(), placed: z.string() })).default([]),
  ranges: z.array(
    z.object({ range: z.string().refine(isPrefix), records: z.array(z.custom<LeaseRecord>()) }),
  ),
});

/** The addresses of one owner's names. */
export interface Book {
  /** Chooses where a name lands; 16 bytes. */
  readonly key: Uint8Array;
  readonly prefix6: Prefix;
  /** Where ranges lay last that did not lie where they were wanted, by the text of the one they stand for. */
  readonly places: ReadonlyMap<string, Prefix>;
  /** By the text of the range. */
  readonly records: ReadonlyMap<string, readonly LeaseRecord[]>;
}

/** The two addresses of a name. */
export interface NameAddresses {
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;
}

/** The addresses of the TUN itself, and of the peer that stands for every app. */
export interface LinkAddresses {
  readonly self4: Ipv4;
  readonly peer4: Ipv4;
  readonly self6: Ipv6;
  readonly peer6: Ipv6;
  readonly prefix6: Prefix;
}

/** Begins a book. @param random 21 bytes: 16 for the key, 5 for the ULA's global ID (RFC 4193). */
export function newBook(random: Uint8Array): Book {
  return {
    key: random.slice(0, KEY_BYTES),
    prefix6: ulaPrefix(random.slice(KEY_BYTES, BOOK_RANDOM_BYTES)),
    places: new Map(),
    records: new Map(),
  };
}

/** Reads a book from its JSON. @throws Error when it is none */
export function parseBook(text: string): Book {
  const book = BookSchema.parse(JSON.parse(text));
  return {
    key: Uint8Array.fromHex(book.key),
    prefix6: parsePrefix(book.ipv6_prefix),
    places: new Map(book.places.map(({ wanted, placed }) => [wanted, parsePrefix(placed)])),
    records: new Map(book.ranges.map(({ range, records }) => [range, records])),
  };
}

/** Writes what {@link parseBook} reads; the same book is the same text. */
export function renderBook(book: Book): string {
  const content: z.input<typeof BookSchema> = {
    schema: "vnet.leases/1",
    key: book.key.toHex(),
    ipv6_prefix: formatPrefix(book.prefix6),
    places: [...book.places].sort(([a], [b]) => a < b ? -1 : 1)
      .map(([wanted, placed]) => ({ wanted, placed: formatPrefix(placed) })),
    ranges: [...book.records].sort(([a], [b]) => a < b ? -1 : 1)
      .map(([range, records]) => ({ range, records: [...records] })),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** The link's own addresses: the first usable ones of its range and of the prefix. No name gets them. */
export function linkAddresses({ prefix6 }: Book, range: Prefix): LinkAddresses {
  const self4 = selfAddress(range);
  const peer4 = peerAddress(range);
  return { self4, peer4, self6: twin(prefix6, self4), peer6: twin(prefix6, peer4), prefix6 };
}

/** Notes where ranges lie, by the text of the one they stand for; those that lie at home need no note. */
export function rememberPlaces(book: Book, places: ReadonlyMap<string, Prefix>): Book {
  const kept = [...book.places].filter(([wanted]) => !places.has(wanted))
    .slice(-MAX_FORMER_RANGES);
  const moved = [...places].filter(([wanted, placed]) => formatPrefix(placed) !== wanted);
  return { ...book, places: new Map([...kept, ...moved]) };
}

/** The addresses of a plan's names, and the book after they were given. */
export interface Assignment {
  /** By name; `null` where the range is full. */
  readonly addresses: ReadonlyMap<DomainName, NameAddresses | null>;
  readonly book: Book;
}

/** Gives every name of the plan its address, and takes back those of names that are gone. */
export function assignAddresses(
  book: Book,
  plan: Plan,
  link: LinkAddresses,
  nowMs: number,
): Assignment {
  const pools = new Map(
    plan.ranges.map((range) => [formatPrefix(range), openPool(book, range, link)]),
  );
  for (const [text, pool] of pools) {
    for (const { name } of pool.records()) {
      const target = plan.targets.get(name as DomainName);
      if (target === undefined || formatPrefix(target.range) !== text) pool.release(name, nowMs);
    }
  }
  const addresses = new Map<DomainName, NameAddresses | null>();
  for (const [name, { range }] of plan.targets) {
    const lease = pools.get(formatPrefix(range))?.lease(name, nowMs) ?? "exhausted";
    addresses.set(
      name,
      lease === "exhausted" ? null : { ipv4: lease.ipv4, ipv6: twin(book.prefix6, lease.ipv4) },
    );
  }
  const former = [...book.records].filter(([text]) => !pools.has(text)).slice(-MAX_FORMER_RANGES)
    .map(([text, records]) => [text, resting(records, nowMs)] as const);
  const current = [...pools].map(([text, pool]) => [text, pool.records()] as const);
  return { addresses, book: { ...book, records: new Map([...former, ...current]) } };
}

/** Writes both addresses of a name as text. */
export function renderAddresses(addresses: NameAddresses): { ipv4: string; ipv6: string } {
  return { ipv4: formatIp(addresses.ipv4), ipv6: formatIp(addresses.ipv6) };
}

/** The link's own addresses may lie inside any range. */
function openPool(book: Book, range: Prefix, link: LinkAddresses): AddressPool {
  return new AddressPool({
    range,
    reserved: [link.self4, link.peer4],
    key: book.key,
    records: [...book.records.get(formatPrefix(range)) ?? [], ...recordsWithin(book, range)],
  });
}

/** What other ranges that overlap this one know of its addresses: who has one keeps it, and what rests goes on resting. */
function recordsWithin(book: Book, range: Prefix): readonly LeaseRecord[] {
  const own = formatPrefix(range);
  return [...book.records]
    .filter(([text]) => text !== own && overlaps(parsePrefix(text), range))
    .flatMap(([, records]) => records); // The pool leaves out what lies outside it.
}

/** In a range that no cluster has any more nobody has an address; they rest from now on. */
function resting(records: readonly LeaseRecord[], nowMs: number): readonly LeaseRecord[] {
  return records.map((record) => ({ ...record, releasedMs: record.releasedMs ?? nowMs }));
}

function isPrefix(text: string): boolean {
  try {
    parsePrefix(text);
    return true;
  } catch {
    return false;
  }
}

function ulaPrefix(globalId: Uint8Array): Prefix {
  const hex = `fd${globalId.toHex()}`;
  return parsePrefix(`${hex.slice(0, 4)}:${hex.slice(4, 8)}:${hex.slice(8, 12)}::/64`);
}
