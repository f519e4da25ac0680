/**
 * What root lets the clients of the helper service have: /etc/vnet/helper.yaml.
 *
 * @module
 */
import { z } from "zod";
import { DNS_MODES, type DnsMode } from "../dns/mod.ts";
import { strict } from "./mistakes.ts";
import { parseOne } from "./service_file.ts";
import { CONTAINER_POLICIES, UP_CHOICES } from "./up/up_flags.ts";

/** What root said; the client, which is not root, cannot have it otherwise. */
export interface HelperPolicy {
  readonly dnsMode: DnsMode;
  /** Whether containers may connect: they need what comes out of the link to be forwarded. */
  readonly containers: boolean;
  /** Suffixes that a client's zones must be or lie in; `null`: every zone that is not everybody's. */
  readonly zones: readonly string[] | null;
}

/** What holds where root said nothing. */
export const DEFAULT_HELPER_POLICY: HelperPolicy = {
  dnsMode: UP_CHOICES.dns,
  containers: false,
  zones: null,
};

const suffix = z.string().max(253).regex(
  /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$/,
  "a domain name of two labels or more, in lower case",
);

const PolicyFileSchema = strict({
  version: z.literal("v1"),
  dns: z.enum(DNS_MODES).default(UP_CHOICES.dns),
  containers: z.enum(CONTAINER_POLICIES).default(UP_CHOICES.containers),
  zones: z.array(suffix).max(256).optional(),
});

/**
 * Reads the file.
 *
 * @throws {ConfigError} With every mistake in it.
 */
export function parseHelperPolicy(text: string, file: string): HelperPolicy {
  const { dns, containers, zones } = parseOne(PolicyFileSchema, text, file);
  return { dnsMode: dns, containers: containers === "allow", zones: zones ?? null };
}

/** Tells whether root lets a client have a zone. */
export function allowsZone(policy: HelperPolicy, zone: string): boolean {
  return policy.zones === null ||
    policy.zones.some((suffix) => zone === suffix || zone.endsWith(`.${suffix}`));
}
