/**
 * What root lets the clients of the helper service have: /etc/vnet/helper.yaml.
 *
 * @module
 */
import { z } from "zod";
import { DNS_MODES, type DnsMode } from "../dns/mod.ts";
import { parsePrefix, type Prefix } from "../ip/mod.ts";
import { strict } from "./mistakes.ts";
import { parseOne } from "./service_file.ts";
import { CONTAINER_POLICIES, UP_CHOICES } from "./up/up_flags.ts";
import { isVirtualRange, RANGE_WORDS } from "./up/virtual_range.ts";

/** What root said; the client, which is not root, cannot have it otherwise. */
export interface HelperPolicy {
  readonly dnsMode: DnsMode;
  /** Whether containers may connect: they need what comes out of the link to be forwarded. */
  readonly containers: boolean;
  /** Suffixes that a client's zones must be or lie in; `null`: every zone that is not everybody's. */
  readonly zones: readonly string[] | null;
  /** Where a client's IPv4 ranges may lie beside 100.64.0.0/10: private space that no other network here uses. */
  readonly ranges: readonly Prefix[];
}

/** What holds where root said nothing. */
export const DEFAULT_HELPER_POLICY: HelperPolicy = {
  dnsMode: UP_CHOICES.dns,
  containers: false,
  zones: null,
  ranges: [],
};

/** How many ranges root may list. */
export const MAX_ALLOWED_RANGES = 32;

const suffix = z.string().max(253).regex(
  /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$/,
  "a domain name of two labels or more, in lower case",
);

const range = z.string({ error: RANGE_WORDS }).refine(isVirtualRange, { error: RANGE_WORDS });

const PolicyFileSchema = strict({
  version: z.literal("v1"),
  dns: z.enum(DNS_MODES).default(UP_CHOICES.dns),
  containers: z.enum(CONTAINER_POLICIES).default(UP_CHOICES.containers),
  zones: z.array(suffix).max(256).optional(),
  ranges: z.array(range).max(MAX_ALLOWED_RANGES).default([]),
});

/**
 * Reads the file.
 *
 * @throws {ConfigError} With every mistake in it.
 */
export function parseHelperPolicy(text: string, file: string): HelperPolicy {
  const { dns, containers, zones, ranges } = parseOne(PolicyFileSchema, text, file);
  return {
    dnsMode: dns,
    containers: containers === "allow",
    zones: zones ?? null,
    ranges: ranges.map(parsePrefix),
  };
}

/** Tells whether root lets a client have a zone. */
export function allowsZone(policy: HelperPolicy, zone: string): boolean {
  return policy.zones === null ||
    policy.zones.some((suffix) => zone === suffix || zone.endsWith(`.${suffix}`));
}
