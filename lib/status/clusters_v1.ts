import { z } from "zod";

/** `vnet clusters ls --format json`: the clusters of your logins, each followed by its leaves. */
export const ClustersV1Schema = z.object({
  schema: z.literal("vnet.clusters/1"),
  clusters: z.array(z.object({
    name: z.string(),
    /** The login that it is reached by, as its proxy. */
    proxy: z.string(),
    kind: z.enum(["root", "leaf"]),
    /** `unknown`: the root cannot be asked, or does not say. */
    state: z.enum(["online", "offline", "unknown"]),
    /** Since when a leaf is online, or is not. */
    since: z.iso.datetime().optional(),
    apps: z.int(),
    /** Apps of a leaf that its root does not tell of: there are too many, or they are too large. */
    apps_left_out: z.int().optional(),
  })),
});
export type ClustersV1 = z.infer<typeof ClustersV1Schema>;
