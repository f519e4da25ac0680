import { TokenBuckets } from "./token_buckets.ts";

/** Sources that are remembered; beyond it the one that was good longest ago is forgotten. */
const MAX_SOURCES = 10_000;
/** Bad connections that a good source may have: a scanner behind the same address ends its standing for a while. */
const BAD = { burst: 50, perSecond: 0.1 };

/** Sources from which somebody proved who they are. Strangers get in here by nothing they can do in a crowd. */
export class Standing {
  readonly #good = new Set<string>();
  readonly #bad = new TokenBuckets(BAD);

  /** @param known Sources that were good before, oldest first. */
  constructor(known: readonly string[] = []) {
    for (const host of known) this.good(host);
  }

  good(host: string): void {
    this.#good.delete(host);
    if (this.#good.size >= MAX_SOURCES) {
      const oldest = this.#good.values().next();
      if (!oldest.done) this.#good.delete(oldest.value);
    }
    this.#good.add(host);
  }

  /** A connection ended without anybody proving anything. Of sources that were never good nothing is kept. */
  bad(host: string, nowMs: number): void {
    if (this.#good.has(host)) this.#bad.take(host, nowMs);
  }

  isGood(host: string, nowMs: number): boolean {
    return this.#good.has(host) && this.#bad.waitMs(host, nowMs) === 0;
  }
}
