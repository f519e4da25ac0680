import { z } from "zod";

/** `vnet apps ls --format json`: the apps one may use, sorted by cluster and name. */
export const AppsV1Schema = z.object({
  schema: z.literal("vnet.apps/1"),
  apps: z.array(z.object({
    name: z.string(),
    kind: z.string().optional(),
    cluster: z.string(),
    proxy: z.string(),
    public_addrs: z.array(z.string()),
    addresses: z.array(z.object({
      name: z.string(),
      ipv4: z.string().optional(),
      ipv6: z.string().optional(),
    })),
    /** `5432` or `8000-8010`; absent when any port will do. */
    ports: z.array(z.string()).optional(),
    description: z.string().optional(),
    labels: z.record(z.string(), z.string()),
  })),
});
export type AppsV1 = z.infer<typeof AppsV1Schema>;
