/**
 * Which name has which address, kept on disk: an address that a program remembers never comes to mean another
 * machine, not even after a restart.
 *
 * @module
 */
import { z } from "zod";
import { AddressPool, type LeaseRecord, peerAddress, selfAddress, twin } from "../../cidr/mod.ts";
import { type DomainName } from "../../dns/mod.ts";
import type { Plan } from "../../plan/mod.ts";
import { VnetError } from "../../error.ts";
import { writeFileAtomic } from "../../io/mod.ts";
import {
  formatIp,
  formatPrefix,
  type Ipv4,
  type Ipv6,
  parsePrefix,
  type Prefix,
} from "../../ip/mod.ts";

const BookSchema = z.object({
  schema: z.literal("vnet.leases/1"),
  /** Keys the hash that chooses addresses: hex, 16 bytes. */
  key: z.string().regex(/^[0-9a-f]{32}$/),
  ipv6_prefix: z.string(),
  /** Ranges that lay in somebody's way, and where they are instead. */
  places: z.array(z.object({ wanted: z.string(), placed: z.string() })).default([]),
  ranges: z.array(z.object({ range: z.string(), records: z.array(z.custom<LeaseRecord>()) })),
});

/** The two addresses of a name; `null` where there is none to give. */
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

/** The address book of one owner. */
export class AddressBook {
  readonly #path: string;
  readonly #key: Uint8Array;
  readonly prefix6: Prefix;
  readonly #saved: Map<string, readonly LeaseRecord[]>;
  readonly #pools = new Map<string, AddressPool>();
  #places: ReadonlyMap<string, Prefix>;
  /** The link's own addresses, which may lie inside another range, too. */
  #reserved: readonly Ipv4[] = [];

  private constructor(
    path: string,
    key: Uint8Array,
    prefix6: Prefix,
    saved: Map<string, readonly LeaseRecord[]>,
    places: ReadonlyMap<string, Prefix>,
  ) {
    this.#places = places;
    this.#path = path;
    this.#key = key;
    this.prefix6 = prefix6;
    this.#saved = saved;
  }

  /**
   * Opens the book in a state folder, or begins one with random bytes.
   *
   * @param random 21 bytes: 16 for the key, 5 for the ULA's global ID (RFC 4193).
   * @throws VnetError `leases-damaged` when the file is there and cannot be understood.
   */
  static async open(stateDir: string, random: Uint8Array): Promise<AddressBook> {
    const path = `${stateDir}/leases.json`;
    const text = await Deno.readTextFile(path).catch((thrown) => {
      if (thrown instanceof Deno.errors.NotFound) return null;
      throw thrown;
    });
    if (text === null) {
      const prefix6 = ulaPrefix(random.slice(16, 21));
      return new AddressBook(path, random.slice(0, 16), prefix6, new Map(), new Map());
    }
    const book = parseBook(text, path);
    return new AddressBook(
      path,
      Uint8Array.fromHex(book.key),
      parsePrefix(book.ipv6_prefix),
      new Map(book.ranges.map(({ range, records }) => [range, records])),
      new Map(book.places.map(({ wanted, placed }) => [wanted, parsePrefix(placed)])),
    );
  }

  /** Where ranges lay the last time, by the text of the one they stand for. */
  get places(): ReadonlyMap<string, Prefix> {
    return this.#places;
  }

  /** Remembers where ranges lie, by the text of the one they stand for. */
  remember(places: ReadonlyMap<string, Prefix>): void {
    const moved = [...this.#places].filter(([wanted]) => !places.has(wanted));
    for (const [wanted, placed] of places) {
      if (formatPrefix(placed) !== wanted) moved.push([wanted, placed]);
    }
    this.#places = new Map(moved);
  }

  /**
   * Gives every name of the plan its address and takes back those of names that are gone.
   *
   * @returns The addresses by name; a name is mapped to `null` when its range is full.
   */
  assign(plan: Plan, nowMs: number): ReadonlyMap<DomainName, NameAddresses | null> {
    const wanted = new Set<DomainName>(plan.targets.keys());
    const assigned = new Map<DomainName, NameAddresses | null>();
    for (const range of plan.ranges) {
      const pool = this.#poolOf(range);
      for (const record of pool.records()) {
        const target = plan.targets.get(record.name as DomainName);
        if (!wanted.has(record.name as DomainName) || target?.range !== range) {
          pool.release(record.name as DomainName, nowMs);
        }
      }
    }
    for (const [name, target] of plan.targets) {
      const lease = this.#poolOf(target.range).lease(name, nowMs);
      assigned.set(
        name,
        lease === "exhausted" ? null : { ipv4: lease.ipv4, ipv6: twin(this.prefix6, lease.ipv4) },
      );
    }
    return assigned;
  }

  /** The link's own addresses: the first usable ones of its range and of the prefix. No name gets them. */
  linkAddresses(range: Prefix): LinkAddresses {
    const self4 = selfAddress(range);
    const peer4 = peerAddress(range);
    this.#reserved = [self4, peer4];
    return {
      self4,
      peer4,
      self6: twin(this.prefix6, self4),
      peer6: twin(this.prefix6, peer4),
      prefix6: this.prefix6,
    };
  }

  /** Writes the book, so that the next start gives the same addresses. */
  async save(): Promise<void> {
    const ranges = new Map(this.#saved);
    for (const [range, pool] of this.#pools) ranges.set(range, pool.records());
    const book = {
      schema: "vnet.leases/1",
      key: this.#key.toHex(),
      ipv6_prefix: formatPrefix(this.prefix6),
      places: [...this.#places].sort(([a], [b]) => a < b ? -1 : 1)
        .map(([wanted, placed]) => ({ wanted, placed: formatPrefix(placed) })),
      ranges: [...ranges].sort(([a], [b]) => a < b ? -1 : 1)
        .map(([range, records]) => ({ range, records })),
    };
    await writeFileAtomic(this.#path, `${JSON.stringify(book, null, 2)}\n`);
  }

  #poolOf(range: Prefix): AddressPool {
    const text = formatPrefix(range);
    const found = this.#pools.get(text);
    if (found !== undefined) return found;
    const pool = new AddressPool({
      range,
      reserved: this.#reserved,
      key: this.#key,
      records: this.#saved.get(text) ?? [],
    });
    this.#pools.set(text, pool);
    return pool;
  }
}

function ulaPrefix(globalId: Uint8Array): Prefix {
  const hex = `fd${globalId.toHex()}`;
  return parsePrefix(`${hex.slice(0, 4)}:${hex.slice(4, 8)}:${hex.slice(8, 12)}::/64`);
}

function parseBook(text: string, path: string): z.infer<typeof BookSchema> {
  try {
    return BookSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new VnetError("leases-damaged", `Cannot use the address book "${path}"`, {
      hint: "Move the file away; addresses will then be chosen anew",
      cause: thrown,
    });
  }
}

/** Writes both addresses of a name as text. */
export function renderAddresses(addresses: NameAddresses): { ipv4: string; ipv6: string } {
  return { ipv4: formatIp(addresses.ipv4), ipv6: formatIp(addresses.ipv6) };
}
