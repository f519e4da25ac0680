/**
 * What crosses the border of this folder: what is asked for, what was found, what changed since.
 *
 * @module
 */
import type { Endpoint } from "../../../ip/mod.ts";

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

export interface OsDnsRequest {
  /** The TUN: up, with carrier and an address, or systemd-resolved does not count it. */
  readonly link: string;
  readonly ifindex: number;
  /** Where our DNS server listens; port 53 where {@link serverNeedsPort53} says so. */
  readonly server: Endpoint;
  /** Zones we answer for, lower case, without dots at either end. */
  readonly zones: readonly string[];
  readonly mode: Mode;
  /**
   * Whether somebody puts the host's own settings back at once should this process be killed. Then no other
   * nameserver is kept beside ours: programs that ask all of them in parallel would take the others' word.
   */
  readonly guarded?: boolean;
}

/** Which back end fits the host, and the reasoning behind it. */
export interface Choice {
  readonly backend: BackendKind;
  readonly why: readonly string[];
  readonly warnings: readonly string[];
  /** `direct` only: keep the host's own nameservers below ours, as a net for the time after a crash. */
  readonly fallbackLines: boolean;
}

/** Resolvers to forward to, never our own, never empty. */
export interface Upstreams {
  readonly upstreams: readonly Endpoint[];
  /** The host's search list, in order. */
  readonly search: readonly string[];
  readonly warnings: readonly string[];
}

/** What `apply` did. */
export interface Applied extends Upstreams {
  readonly backend: BackendKind;
  readonly why: readonly string[];
  /** What was done, line by line: the lines `plan` gave. */
  readonly steps: readonly string[];
}

/** What `watch` tells. */
export type Change =
  /** The host's resolvers or search list are different ones. */
  | { readonly kind: "upstreams" } & Upstreams
  /** Someone undid our settings, and they are back. */
  | { readonly kind: "reapplied"; readonly why: string }
  /** Something is not as it should be, and stays so for now. */
  | { readonly kind: "warning"; readonly message: string };

/**
 * Says whether our DNS server must listen on port 53 of its address, because nothing between it and the
 * programs can carry another port.
 */
export function serverNeedsPort53(backend: BackendKind): boolean {
  return backend !== "resolved" && backend !== "nm-dnsmasq";
}
