import { refusal } from "../api/refusals.ts";

/** How much of something is allowed: `burst` at once, then `perSecond`. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Keys whose rate is watched at a time; beyond it the one that was quiet longest is forgotten. */
const MAX_KEYS = 10_000;

/** Token buckets by key. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, { level: number; atMs: number }>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /**
   * Takes one from a key's bucket.
   *
   * @throws {AuthError} `rate-limited` when it is empty.
   */
  take(key: string, nowMs: number): void {
    const { burst, perSecond } = this.#rate;
    const held = this.#buckets.get(key);
    const refill = held === undefined ? 0 : Math.max(0, nowMs - held.atMs) / 1000 * perSecond;
    const level = Math.min(burst, (held?.level ?? burst) + refill);
    // Deleting first keeps the map in the order of last use
    this.#buckets.delete(key);
    if (this.#buckets.size >= MAX_KEYS) this.#forgetQuietest();
    this.#buckets.set(key, { level: level < 1 ? level : level - 1, atMs: nowMs });
    if (level >= 1) return;
    const seconds = Math.ceil((1 - level) / perSecond);
    throw refusal("rate-limited", {
      message: "Too many requests from this address",
      hint: `Try again in ${seconds} s`,
    });
  }

  #forgetQuietest(): void {
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}
