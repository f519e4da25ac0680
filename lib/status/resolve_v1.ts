import { z } from "zod";
import { GRANTS } from "./zones_v1.ts";

/** `vnet resolve NAME --format json`: what vnet's DNS server says to one question, and why. */
export const ResolveV1Schema = z.object({
  schema: z.literal("vnet.resolve/1"),
  name: z.string(),
  type: z.string(),
  verdict: z.enum(["answer", "no-data", "nx-domain", "forward", "refuse"]),
  rule: z.string(),
  reason: z.string(),
  addresses: z.array(z.string()),
  ttl_seconds: z.int().optional(),
  /** Whose the name is; absent for a name that no app has. */
  app: z.object({
    name: z.string(),
    cluster: z.string(),
    proxy: z.string(),
    zone: z.string(),
    /** How the cluster came by the zone. */
    grant: z.enum(GRANTS),
  }).optional(),
  /** Who claims the name and does not have it. */
  claims: z.array(z.object({
    app: z.string(),
    cluster: z.string(),
    proxy: z.string(),
    why: z.string(),
  })).optional(),
  source: z.enum(["daemon", "saved-state"]),
});
export type ResolveV1 = z.infer<typeof ResolveV1Schema>;
