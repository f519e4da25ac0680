import { z } from "zod";
import { GRANTS } from "./zones_v1.ts";

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
      /** The zone that the name is given in, and how the cluster came by it. */
      zone: z.string().optional(),
      grant: z.enum(GRANTS).optional(),
    })),
    /** Names of the app that are not its own here, and why. */
    refused: z.array(z.object({ name: z.string(), why: z.string() })).optional(),
    /** `5432` or `8000-8010`; absent when any port will do. */
    ports: z.array(z.string()).optional(),
    /** When an agent last served it; absent while one does. */
    last_seen: z.iso.datetime().optional(),
    description: z.string().optional(),
    labels: z.record(z.string(), z.string()),
  })),
});
export type AppsV1 = z.infer<typeof AppsV1Schema>;
