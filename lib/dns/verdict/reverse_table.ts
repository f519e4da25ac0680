/**
 * Which of our addresses has which name, and whether anything of ours lies in a range.
 *
 * @module
 */

import {
  compareIp,
  contains,
  type IpAddress,
  lastAddress,
  overlaps,
  type Prefix,
} from "../../ip/mod.ts";
import type { DomainName } from "../name.ts";

/** Addresses with names, inside the ranges that are ours. */
export class ReverseTable {
  readonly #ranges: readonly Prefix[];
  readonly #sorted: readonly IpAddress[];
  readonly #names: ReadonlyMap<number | bigint, DomainName>;

  /** @param addresses Those outside every range are left out; the first name of an address stays. */
  constructor(ranges: readonly Prefix[], addresses: readonly [IpAddress, DomainName][]) {
    this.#ranges = ranges;
    const names = new Map<number | bigint, DomainName>();
    const inside: IpAddress[] = [];
    for (const [address, name] of addresses) {
      if (names.has(address.value) || !ranges.some((range) => contains(range, address))) continue;
      names.set(address.value, name);
      inside.push(address);
    }
    this.#names = names;
    this.#sorted = inside.sort(compareIp);
  }

  /** @returns The range of ours that a whole prefix lies in, or `null`. */
  rangeOf(prefix: Prefix): Prefix | null {
    return this.#ranges.find((range) => range.length <= prefix.length && overlaps(range, prefix)) ??
      null;
  }

  /** @returns The name of an address, or `null`. Addresses of the two families never share a key. */
  nameOf(address: IpAddress): DomainName | null {
    return this.#names.get(address.value) ?? null;
  }

  /** Tells whether some address with a name lies in a prefix. */
  anyIn(prefix: Prefix): boolean {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const address = this.#sorted[middle];
      if (address !== undefined && compareIp(address, prefix.address) < 0) low = middle + 1;
      else high = middle;
    }
    const first = this.#sorted[low];
    return first !== undefined && compareIp(first, lastAddress(prefix)) <= 0;
  }
}
