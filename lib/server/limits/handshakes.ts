import type { Source } from "../../ip/mod.ts";
import { SourceBuckets, TokenBuckets } from "./token_buckets.ts";

/** What a host may have at most: an office behind one address, all of whose clients come back at once. */
const EACH = { burst: 256, perSecond: 32 };
const EACH_TRUSTED = { burst: 4096, perSecond: 256 };
/** What a host has in any case, however many others there are. */
const OWN = { burst: 4, perSecond: 0.2 };
/** What all strangers have together beyond that: a part of what one core can do. */
const SHARED = { burst: 400, perSecond: 200 };

/** Decides before a TLS handshake, which costs more than anything that leads to it, whether it is made. */
export class Handshakes {
  readonly #each = new SourceBuckets(EACH);
  readonly #trusted = new SourceBuckets(EACH_TRUSTED);
  readonly #own = new SourceBuckets(OWN);
  readonly #shared = new TokenBuckets(SHARED);

  /** @param isTrusted Whether the source is in good standing. */
  take(source: Source, isTrusted: boolean, nowMs: number): boolean {
    if (isTrusted) return this.#trusted.take(source, nowMs) === 0;
    if (this.#each.take(source, nowMs) > 0) return false;
    return this.#own.take(source, nowMs) === 0 || this.#shared.take("", nowMs) === 0;
  }
}
