/**
 * What every back end can do, so that one loop applies, follows and undoes them all.
 *
 * @module
 */
import type { Disk } from "../undo/disk.ts";
import type { Journal } from "../undo/journal.ts";
import type { Paths } from "../find/paths.ts";
import type { BackendKind, OsDnsRequest, Upstreams } from "../types.ts";

/** Whether our settings are still in force. */
export type Condition =
  | { readonly kind: "intact" }
  /** They are not, and applying again brings them back. */
  | { readonly kind: "undone"; readonly why: string }
  /** The other side is not there; nothing to be done until it is. */
  | { readonly kind: "absent"; readonly why: string }
  /** Someone is in the middle of a change; look again soon. */
  | { readonly kind: "unsettled" };

/** One way of telling the host. It is told one thing at a time. */
export interface Backend {
  readonly kind: BackendKind;
  /** What `apply` does, line by line. */
  plan(request: OsDnsRequest): Promise<string[]>;
  /** Puts the settings in force; again is fine. */
  apply(request: OsDnsRequest): Promise<void>;
  condition(request: OsDnsRequest): Promise<Condition>;
  upstreams(request: OsDnsRequest): Promise<Upstreams>;
  /** Undoes `apply`. @returns What was done, line by line. */
  revert(request: OsDnsRequest): Promise<string[]>;
  /** Calls `poke` whenever the condition or the upstreams may be different; settles when aborted. */
  follow(poke: () => void, signal: AbortSignal): Promise<void>;
}

/** The places a back end works on. */
export interface Place {
  readonly paths: Paths;
  readonly disk: Disk;
  readonly journal: Journal;
  /** The name of a link; `null` when there is none of that number. Default: the kernel's word. */
  readonly linkName?: (ifindex: number) => string | null;
  /** How often what nobody tells of is looked at. */
  readonly lookAgainMs?: number;
}
