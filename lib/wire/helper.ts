/**
 * What the daemon asks of the privileged helper, one JSON document a message. The helper trusts nothing in it:
 * every field is checked here before anything is touched.
 *
 * @module
 */
import { z } from "zod";
import { MAX_ZONES } from "../config/mod.ts";
import { DNS_MODES } from "../dns/mod.ts";

export const HELPER_PROTOCOL = 3;

/**
 * How long the helper takes over each request at most, in ms: past that it says so and takes everything back. The
 * long ones ask services of the machine that may hang.
 */
export const HELPER_BOUNDS_MS = {
  detect: 10_000,
  open: 5_000,
  "dns-sockets": 5_000,
  apply: 30_000,
  guard: 5_000,
  listen: 5_000,
  program: 5_000,
  revert: 30_000,
} as const;

/** How long the helper waits for its client to read, in ms. */
export const HELPER_SEND_MS = 5_000;

const ipv4 = z.ipv4();
const ipv6 = z.ipv6();
const port = z.int().min(1).max(65_535);
const id = z.int().min(0).max(0xffff_ffff);

/** At least two labels; public suffixes and reserved zones are refused by the helper itself. */
const zone = z.string().max(253).regex(/^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$/);

const EndpointSchema = z.object({ address: z.union([ipv4, ipv6]), port });

const DnsModeSchema = z.enum(DNS_MODES);

const DnsSchema = z.object({
  mode: DnsModeSchema,
  /** The daemon's own: nobody's resolver is pointed at another machine. */
  server: z.object({
    address: ipv4.refine((text) => text.startsWith("127."), "a loopback address"),
    port,
  }),
  zones: z.array(zone).max(MAX_ZONES),
});

export const HelperRequestSchema = z.discriminatedUnion("op", [
  z.object({ v: z.literal(HELPER_PROTOCOL), id, op: z.literal("detect"), mode: DnsModeSchema }),
  z.object({
    v: z.literal(HELPER_PROTOCOL),
    id,
    op: z.literal("open"),
    /** `null` for the first name that is free. */
    link: z.string().regex(/^vnet[0-9]{1,3}$/).nullable(),
    ipv4: z.object({ self: ipv4, range: z.cidrv4() }),
    ipv6: z.object({ self: ipv6, prefix: z.cidrv6() }).nullable(),
  }),
  z.object({
    v: z.literal(HELPER_PROTOCOL),
    id,
    op: z.literal("dns-sockets"),
    /** Loopback addresses of vnet's own, or the link's own IPv6 address, which the helper knows. */
    address: z.union([
      ipv4.refine((text) => text.startsWith("127.0.53."), "127.0.53.x"),
      ipv6,
    ]),
  }),
  z.object({
    v: z.literal(HELPER_PROTOCOL),
    id,
    op: z.literal("apply"),
    /** What leads into the link from this moment on; more and others may follow. */
    routes: z.array(z.union([z.cidrv4(), z.cidrv6()])).max(32),
    dns: DnsSchema.nullable(),
  }),
  z.object({
    v: z.literal(HELPER_PROTOCOL),
    id,
    op: z.literal("guard"),
    /** Where connections may come from. The listener's descriptor comes with the message. */
    source: z.union([ipv4, ipv6]),
  }),
  z.object({
    v: z.literal(HELPER_PROTOCOL),
    id,
    op: z.literal("listen"),
    /** One of the link's own addresses, where the link is in another network than the client. */
    address: z.union([ipv4, ipv6]),
    /** Where connections may come from. */
    source: z.union([ipv4, ipv6]),
  }),
  z.object({
    v: z.literal(HELPER_PROTOCOL),
    id,
    op: z.literal("program"),
    /** Both ends of a connection into the link, as its own program sees them. */
    source: EndpointSchema,
    destination: EndpointSchema,
  }),
  z.object({ v: z.literal(HELPER_PROTOCOL), id, op: z.literal("revert") }),
]);
export type HelperRequest = z.infer<typeof HelperRequestSchema>;

const HelperErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
  call: z.string().nullable(),
  errno: z.string().nullable(),
});
export type HelperError = z.infer<typeof HelperErrorSchema>;

/** What `detect` found: which back end the operating system's resolver calls for, and why. */
export const DetectedSchema = z.object({
  backend: z.string(),
  why: z.array(z.string()),
  warnings: z.array(z.string()),
  needs_port_53: z.boolean(),
  /** Where root lets IPv4 ranges lie beside 100.64.0.0/10. */
  ranges: z.array(z.cidrv4()).default([]),
});
export type Detected = z.infer<typeof DetectedSchema>;

/** What `open` made. The descriptors of the TUN and the raw sockets come with the message. */
export const OpenedSchema = z.object({
  link: z.string(),
  ifindex: z.int(),
  vnet_header: z.boolean(),
  has_ipv6: z.boolean(),
  /**
   * Whether the link is in another network than the client: what finds owners there is then the last descriptor, and
   * listeners are asked for.
   */
  elsewhere: z.boolean().default(false),
});
export type Opened = z.infer<typeof OpenedSchema>;

/** What `apply` did. */
export const AppliedSchema = z.object({
  backend: z.string(),
  why: z.array(z.string()),
  warnings: z.array(z.string()),
  upstreams: z.array(EndpointSchema),
  search: z.array(z.string()),
});
export type Applied = z.infer<typeof AppliedSchema>;

/** What `program` found; `null` if nothing, or not in time. */
export const FoundProgramSchema = z.object({ program: z.string().max(4096).nullable() });

export const HelperReplySchema = z.union([
  /** Some of what was done, line by line; it comes before the answer, in as many messages as it takes. */
  z.object({ id, steps: z.array(z.string()) }),
  z.object({ id, ok: z.unknown() }),
  z.object({ id, error: HelperErrorSchema }),
  z.object({ event: z.literal("upstreams"), upstreams: z.array(EndpointSchema) }),
  z.object({
    event: z.literal("warning"),
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
]);
export type HelperReply = z.infer<typeof HelperReplySchema>;
