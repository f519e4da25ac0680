import { z } from "zod";

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
  source: z.enum(["daemon", "saved-state"]),
});
export type ResolveV1 = z.infer<typeof ResolveV1Schema>;
