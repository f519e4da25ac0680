import type { Source } from "../../ip/mod.ts";

/** How much of something is allowed: `burst` at once, then `perSecond`. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Keys whose rate is watched at a time; beyond it the one that was quiet longest is forgotten. */
const MAX_KEYS = 10_000;

/** Token buckets by key. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, { readonly level: number; readonly atMs: number }>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** @returns How long until a key's bucket has one, in milliseconds; 0 if it has. Takes nothing. */
  waitMs(key: string, nowMs: number): number {
    const level = this.#level(key, nowMs);
    return level >= 1 ? 0 : (1 - level) / this.#rate.perSecond * 1000;
  }

  /** Takes one from a key's bucket, if it has one. @returns As {@link waitMs}. */
  take(key: string, nowMs: number): number {
    const level = this.#level(key, nowMs);
    const wait = this.waitMs(key, nowMs);
    // Deleting first keeps the map in the order of last use
    this.#buckets.delete(key);
    if (this.#buckets.size >= MAX_KEYS) this.#forgetQuietest();
    this.#buckets.set(key, { level: wait > 0 ? level : level - 1, atMs: nowMs });
    return wait;
  }

  #level(key: string, nowMs: number): number {
    const { burst, perSecond } = this.#rate;
    const held = this.#buckets.get(key);
    if (held === undefined) return burst;
    return Math.min(burst, held.level + Math.max(0, nowMs - held.atMs) / 1000 * perSecond);
  }

  #forgetQuietest(): void {
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}

/** How many hosts' worth a site and a network may have. */
const SITE_HOSTS = 2;
const NETWORK_HOSTS = 8;

/** A rate of each host, and of the site and network it is in, so that many addresses of one owner are not many. */
export class SourceBuckets {
  readonly #levels: readonly { readonly of: keyof Source; readonly buckets: TokenBuckets }[];

  /** @param rate A host's. */
  constructor({ burst, perSecond }: Rate) {
    const times = (n: number) => new TokenBuckets({ burst: burst * n, perSecond: perSecond * n });
    this.#levels = [
      { of: "network", buckets: times(NETWORK_HOSTS) },
      { of: "site", buckets: times(SITE_HOSTS) },
      { of: "host", buckets: times(1) },
    ];
  }

  /** Takes one of each, or none. @returns How long to wait if there is none, in milliseconds; 0 if it was taken. */
  take(source: Source, nowMs: number): number {
    const waits = this.#levels.map(({ of, buckets }) => buckets.waitMs(source[of], nowMs));
    const longest = Math.max(...waits);
    if (longest > 0) return longest;
    for (const { of, buckets } of this.#levels) buckets.take(source[of], nowMs);
    return 0;
  }
}
