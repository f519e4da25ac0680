/**
 * What crosses the border of this folder: what is asked for, what was found, what changed since.
 *
 * @module
 */
import type { OsDnsApplied } from "../../root_machine.ts";

export type { OsDnsChange as Change, OsDnsRequest, Upstreams } from "../../root_machine.ts";

/** What the user may ask for. */
export type Mode = "auto" | "resolved" | "direct" | "none";

/** Who answers the host's names, and so whom we have to tell about our zones. */
export type BackendKind =
  | "resolved"
  | "nm-dnsmasq"
  | "openresolv"
  | "debian-resolvconf"
  | "direct"
  | "none";

/** Which back end fits the host, and the reasoning behind it. */
export interface Choice {
  readonly backend: BackendKind;
  readonly why: readonly string[];
  readonly warnings: readonly string[];
  /** `direct` only: keep the host's own nameservers below ours, as a net for the time after a crash. */
  readonly fallbackLines: boolean;
}

/** What `apply` did. */
export interface Applied extends OsDnsApplied {
  readonly backend: BackendKind;
}

/**
 * Says whether our DNS server must listen on port 53 of its address, because nothing between it and the
 * programs can carry another port.
 */
export function serverNeedsPort53(backend: string): boolean {
  return backend !== "resolved" && backend !== "nm-dnsmasq";
}
