import type { Applied, Change, Choice, Mode, OsDnsRequest } from "./types.ts";
import type { Paths } from "./paths.ts";

/** Where `OsDns` keeps its journal, and where the host is. */
export interface OsDnsOptions {
  /** A directory only root may write; made when missing (0700). */
  readonly journalDir: string;
  /** Defaults to the real host. */
  readonly paths?: Partial<Paths>;
}

/** Points the operating system's resolver at our DNS server, and back. */
export class OsDns implements AsyncDisposable {
  /** Opens the journal and undoes what a crash left behind. @throws OsError `dns-journal-unwritable` */
  static open(_options: OsDnsOptions): Promise<OsDns> {
    throw new TypeError("not built yet");
  }
  /** What `open` had to repair, line by line. */
  readonly repaired: readonly string[] = [];
  /** Finds the back end a mode leads to on this host. @throws OsError when a forced mode cannot work. */
  detect(_mode: Mode): Promise<Choice> {
    throw new TypeError("not built yet");
  }
  /** Says what `apply` would do, line by line, and does nothing. */
  plan(_request: OsDnsRequest): Promise<string[]> {
    throw new TypeError("not built yet");
  }
  /** Does it; again with other zones is cheap. */
  apply(_request: OsDnsRequest): Promise<Applied> {
    throw new TypeError("not built yet");
  }
  /** Undoes what `apply` did. @returns What was done, line by line. */
  revert(): Promise<string[]> {
    throw new TypeError("not built yet");
  }
  /** Follows the host until the signal aborts; settles then. Call after `apply`. */
  watch(_onChange: (change: Change) => void, _signal: AbortSignal): Promise<void> {
    throw new TypeError("not built yet");
  }
  /** Reverts, and lets the journal go. */
  close(): Promise<void> {
    throw new TypeError("not built yet");
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Undoes what a crashed process left behind. Idempotent; what someone else wrote since is left alone, and so
 * is what a living process owns.
 *
 * @returns What was done, line by line; empty when there was nothing to do.
 */
export function repair(_journalDir: string, _paths?: Partial<Paths>): Promise<string[]> {
  throw new TypeError("not built yet");
}
