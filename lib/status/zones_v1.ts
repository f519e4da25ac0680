import { z } from "zod";

/** How a cluster came by a zone. */
export const GRANTS = ["own", "txt", "user", "admin"] as const;

/** How one cluster stands to one zone. */
export const ZoneStandingSchema = z.object({
  suffix: z.string(),
  cluster: z.string(),
  /** The login, by its proxy. */
  proxy: z.string(),
  /** Listed in `custom_dns_zones`, or only the name of a proxy. */
  kind: z.enum(["custom", "proxy"]),
  state: z.enum(["served", "pending", "denied", "refused", "conflict", "left-out"]),
  /** What it is served by; absent where it is not. */
  grant: z.enum(GRANTS).optional(),
  why: z.string(),
  since: z.iso.datetime().optional(),
  /** Nobody else answers for it, as the cluster says. */
  private: z.boolean(),
});

/** `vnet zones ls --format json`: the zones that clusters ask for, sorted, and what the user decided. */
export const ZonesV1Schema = z.object({
  schema: z.literal("vnet.zones/1"),
  zones: z.array(ZoneStandingSchema),
  decisions: z.array(z.object({
    suffix: z.string(),
    verdict: z.enum(["allow", "deny", "later"]),
    /** Absent: every cluster. */
    cluster: z.string().optional(),
    proxy: z.string().optional(),
    since: z.iso.datetime(),
  })),
  /** What is wrong with the files that decisions are in. */
  findings: z.array(
    z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
  ),
  source: z.enum(["daemon", "saved-state"]),
});
export type ZonesV1 = z.infer<typeof ZonesV1Schema>;
