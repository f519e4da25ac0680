import { sourceOf } from "../../../ip/mod.ts";
import { SourceRateLimit } from "../login/rate.ts";
import type { Peer } from "../types.ts";

/** Requests of one host by whoever shows no certificate: to look what a cluster is, to log in, to join. */
const STRANGERS = { burst: 120, perSecond: 20 };
/** And by those who show one: an office of some hundred clients behind one address that all come back at once. */
const CERTIFIED = { burst: 4000, perSecond: 400 };

/** Requests a source may send, whatever they ask for. */
export class RequestLimits {
  readonly #strangers = new SourceRateLimit(STRANGERS);
  readonly #certified = new SourceRateLimit(CERTIFIED);

  /** @throws {AuthError} `rate-limited`. */
  take({ address, certificate }: Peer, nowMs: number): void {
    const limit = certificate === null ? this.#strangers : this.#certified;
    limit.take(sourceOf(address), nowMs);
  }
}
