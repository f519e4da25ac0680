/**
 * Hands out the addresses of a virtual range to names, the same name getting the same address again.
 *
 * Where a name lands depends on a secret key, the range and what is taken, never on chance or the clock,
 * so that a lost state file costs little. An address given back rests for seven days before another name
 * may have it: a client that still remembers it must not reach the wrong application.
 *
 * @module
 */

import { formatIp, type Ipv4, lastAddress, parseIpv4, type Prefix } from "../ip/mod.ts";
import { dnsAddress } from "./range.ts";
import { sipHash24 } from "./siphash.ts";

/** How long an address given back stays with its last name alone. */
export const QUARANTINE_MS = 7 * 24 * 60 * 60 * 1000;

/** How many names a pool remembers, live and resting together. */
export const MAX_RECORDS = 65_536;

/** A range for names has at least this many host bits. */
export const MIN_HOST_BITS = 5;

/** A live binding of a name to an address. */
export interface Lease<Name extends string = string> {
  readonly name: Name;
  readonly ipv4: Ipv4;
}

/** What a pool remembers of a name, fit for JSON. */
export interface LeaseRecord {
  readonly name: string;
  /** Dotted quad. */
  readonly ipv4: string;
  /** When the name was given up, in milliseconds since 1970; `null` while the lease is live. */
  readonly releasedMs: number | null;
}

/** What an `AddressPool` starts from. */
export interface AddressPoolOptions {
  /** IPv4, at least five host bits. */
  readonly range: Prefix;
  /** Never leased, besides network, self, peer, DNS and broadcast address of the range. */
  readonly reserved: readonly Ipv4[];
  /** 16 secret bytes, the same on every start. */
  readonly key: Uint8Array;
  /** What `records()` gave last time; those that do not fit this range any more are left out. */
  readonly records?: readonly LeaseRecord[];
}

interface Entry<Name extends string> {
  readonly lease: Lease<Name>;
  releasedMs: number | null;
}

/**
 * The addresses of one range and who has them.
 *
 * @example
 * ```ts
 * import { deepEqual, notEqual } from "node:assert/strict";
 * import { parseIpv4, parsePrefix } from "../ip/mod.ts";
 * import { AddressPool } from "./pool.ts";
 *
 * const pool = new AddressPool({
 *   range: parsePrefix("100.64.0.0/27"),
 *   reserved: [parseIpv4("100.64.0.10")],
 *   key: new Uint8Array(16),
 * });
 * const lease = pool.lease("db.corp.example", 0);
 * notEqual(lease, "exhausted");
 * deepEqual(pool.lease("db.corp.example", 1), lease);
 * ```
 */
export class AddressPool<Name extends string = string> {
  readonly range: Prefix;
  readonly #key: Uint8Array;
  readonly #reserved: ReadonlySet<number>;
  readonly #firstValue: number;
  readonly #slots: number;
  readonly #byName = new Map<Name, Entry<Name>>();
  readonly #byAddress = new Map<number, Entry<Name>>();
  /** Known from a vain search: without a release, nothing becomes free before this moment. */
  #fullUntilMs = -Infinity;

  /** @throws {RangeError} If the range is not IPv4 with five host bits, or the key not 16 bytes. */
  constructor(options: AddressPoolOptions) {
    const { range, reserved, key } = options;
    if (range.address.family !== 4 || range.length > 32 - MIN_HOST_BITS) {
      throw new RangeError("Cannot make an address pool: the range is not IPv4 of at least /27");
    }
    if (key.length !== 16) {
      throw new RangeError("Cannot make an address pool: the key is not 16 bytes");
    }
    this.range = range;
    this.#key = key.slice();
    this.#reserved = new Set(reserved.map((address) => address.value));
    this.#firstValue = dnsAddress(range).value + 1;
    this.#slots = (lastAddress(range).value as number) - this.#firstValue;
    this.#load(options.records ?? []);
  }

  /**
   * Binds a name to an address, or confirms the binding it has; a name that returns gets its old address.
   *
   * @param nowMs Milliseconds since 1970.
   * @returns The lease, or `"exhausted"` if every address is taken, resting or reserved.
   */
  lease(name: Name, nowMs: number): Lease<Name> | "exhausted" {
    const own = this.#byName.get(name);
    if (own !== undefined) {
      own.releasedMs = null;
      return own.lease;
    }
    if (nowMs < this.#fullUntilMs) return "exhausted";
    if (this.#byName.size >= MAX_RECORDS && !this.#forgetOldest(nowMs)) return this.#full(nowMs);
    const value = this.#search(name, nowMs);
    if (value === null) return this.#full(nowMs);
    const tenant = this.#byAddress.get(value);
    if (tenant !== undefined) this.#forget(tenant);
    const lease: Lease<Name> = { name, ipv4: { family: 4, value } };
    this.#remember({ lease, releasedMs: null });
    return lease;
  }

  /** Gives up the lease of a name; its address rests from now on. A name without a lease is left as it is. */
  release(name: Name, nowMs: number): void {
    const entry = this.#byName.get(name);
    if (entry === undefined) return;
    entry.releasedMs ??= nowMs;
    this.#fullUntilMs = -Infinity;
  }

  /** @returns The live lease of a name, or `null`. */
  find(name: Name): Lease<Name> | null {
    return live(this.#byName.get(name));
  }

  /** @returns The live lease of an address, or `null`. */
  findAddress(address: Ipv4): Lease<Name> | null {
    return live(this.#byAddress.get(address.value));
  }

  /** Every live lease, sorted by name. */
  leases(): Lease<Name>[] {
    return this.#sorted().filter((entry) => entry.releasedMs === null).map((entry) => entry.lease);
  }

  /** Everything to keep for the next start, resting addresses included, sorted by name. */
  records(): LeaseRecord[] {
    return this.#sorted().map(({ lease, releasedMs }) => ({
      name: lease.name,
      ipv4: formatIp(lease.ipv4),
      releasedMs,
    }));
  }

  #sorted(): Entry<Name>[] {
    return [...this.#byName.values()].sort((a, b) => a.lease.name < b.lease.name ? -1 : 1);
  }

  #load(records: readonly LeaseRecord[]): void {
    // a live record wins over a resting one for the same name or address
    const liveFirst = [
      ...records.filter((record) => record.releasedMs === null),
      ...records.filter((record) => record.releasedMs !== null),
    ];
    for (const { name, ipv4: text, releasedMs } of liveFirst) {
      const ipv4 = readRecordAddress(text);
      if (ipv4 === null || !this.#mayLease(ipv4.value)) continue;
      if (this.#byName.has(name as Name) || this.#byAddress.has(ipv4.value)) continue;
      if (this.#byName.size >= MAX_RECORDS) break;
      this.#remember({ lease: { name: name as Name, ipv4 }, releasedMs });
    }
  }

  #mayLease(value: number): boolean {
    return value >= this.#firstValue && value < this.#firstValue + this.#slots &&
      !this.#reserved.has(value);
  }

  /** The first address never used on the name's way through the range, or else the first one that has rested. */
  #search(name: Name, nowMs: number): number | null {
    const hash = sipHash24(this.#key, new TextEncoder().encode(name));
    const start = Number(hash % BigInt(this.#slots));
    let rested: number | null = null;
    for (let step = 0; step < this.#slots; step++) {
      const value = this.#firstValue + (start + step) % this.#slots;
      if (this.#reserved.has(value)) continue;
      const tenant = this.#byAddress.get(value);
      if (tenant === undefined) return value;
      if (rested === null && freeAtMs(tenant, nowMs) <= nowMs) rested = value;
    }
    return rested;
  }

  #full(nowMs: number): "exhausted" {
    let soonestMs = Infinity;
    for (const entry of this.#byName.values()) {
      soonestMs = Math.min(soonestMs, freeAtMs(entry, nowMs));
    }
    this.#fullUntilMs = soonestMs;
    return "exhausted";
  }

  #forgetOldest(nowMs: number): boolean {
    let oldest: Entry<Name> | null = null;
    let oldestFreeAtMs = nowMs;
    for (const entry of this.#byName.values()) {
      const entryFreeAtMs = freeAtMs(entry, nowMs);
      if (entryFreeAtMs > oldestFreeAtMs || (oldest !== null && entryFreeAtMs === oldestFreeAtMs)) {
        continue;
      }
      oldest = entry;
      oldestFreeAtMs = entryFreeAtMs;
    }
    if (oldest === null) return false;
    this.#forget(oldest);
    return true;
  }

  #remember(entry: Entry<Name>): void {
    this.#byName.set(entry.lease.name, entry);
    this.#byAddress.set(entry.lease.ipv4.value, entry);
  }

  #forget(entry: Entry<Name>): void {
    this.#byName.delete(entry.lease.name);
    this.#byAddress.delete(entry.lease.ipv4.value);
  }
}

function live<Name extends string>(entry: Entry<Name> | undefined): Lease<Name> | null {
  return entry === undefined || entry.releasedMs !== null ? null : entry.lease;
}

/** When another name may have the address; a release that lies in the future is taken as made just now. */
function freeAtMs(entry: Entry<string>, nowMs: number): number {
  if (entry.releasedMs === null) return Infinity;
  if (entry.releasedMs > nowMs) entry.releasedMs = nowMs;
  return entry.releasedMs + QUARANTINE_MS;
}

function readRecordAddress(text: string): Ipv4 | null {
  try {
    return parseIpv4(text);
  } catch {
    return null;
  }
}
