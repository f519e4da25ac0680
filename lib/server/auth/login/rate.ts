import type { Source } from "../../../ip/mod.ts";
import { type Rate, SourceBuckets, TokenBuckets } from "../../limits/mod.ts";
import { refusal } from "../api/refusals.ts";

/** A rate of each key. */
export class RateLimit {
  readonly #buckets: TokenBuckets;

  constructor(rate: Rate) {
    this.#buckets = new TokenBuckets(rate);
  }

  /**
   * Takes one from a key's bucket.
   *
   * @throws {AuthError} `rate-limited` when it is empty.
   */
  take(key: string, nowMs: number): void {
    refuseUntil(this.#buckets.take(key, nowMs));
  }
}

/** A rate of each host, site and network. */
export class SourceRateLimit {
  readonly #buckets: SourceBuckets;

  constructor(rate: Rate) {
    this.#buckets = new SourceBuckets(rate);
  }

  /** @throws {AuthError} `rate-limited` when one of its buckets is empty. */
  take(source: Source, nowMs: number): void {
    refuseUntil(this.#buckets.take(source, nowMs));
  }
}

/** @throws {AuthError} `rate-limited` unless there is nothing to wait for. */
export function refuseUntil(waitMs: number): void {
  if (waitMs === 0) return;
  throw refusal("rate-limited", {
    message: "Too many requests from this address",
    hint: `Try again in ${Math.ceil(waitMs / 1000)} s`,
  });
}
