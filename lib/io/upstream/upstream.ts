/**
 * One resolver the machine had before us, what is asked of it and what comes of that.
 *
 * @module
 */
import type { ExtendedError } from "../../dns/mod.ts";
import type { Endpoint } from "../../ip/mod.ts";
import { type PortTarget, portTarget } from "./port.ts";

/** What came of asking. */
export type UpstreamResult =
  /** The bytes are the receiver's own. SERVFAIL and REFUSED too, when nobody had anything better to say. */
  | { readonly kind: "answer"; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly error: ExtendedError };

/** How to ask. */
export interface AskOptions {
  /** How the client asked: what is truncated over UDP is asked again over TCP for a TCP client. */
  readonly transport: "udp" | "tcp";
  /** Says why an answer is not to be believed, or `null`; then another upstream is asked. */
  readonly objection?: (answer: Uint8Array) => ExtendedError | null;
}

/** One upstream and what is known of it. */
export interface Upstream extends PortTarget {
  /** It gives names back in lower case: mixing the case would make every answer look forged. */
  folds: boolean;
  /** 0, or when it may be asked again. */
  disabledUntilMs: number;
  /** Questions in a row that it was given time for and did not answer. */
  unanswered: number;
  /** When it was last probed for a loop; long ago if never. */
  probedMs: number;
}

/** An upstream of which nothing is known yet. */
export function newUpstream(endpoint: Endpoint): Upstream {
  return {
    ...portTarget(endpoint),
    folds: false,
    disabledUntilMs: 0,
    unanswered: 0,
    probedMs: -Infinity,
  };
}
