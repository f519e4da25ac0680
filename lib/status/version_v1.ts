import { z } from "zod";

/** `vnet version --format json`. */
export const VersionV1Schema = z.object({
  schema: z.literal("vnet.version/1"),
  version: z.string(),
  commit: z.string().optional(),
  runtime: z.string(),
  build: z.enum(["source", "packed", "compiled"]),
  target: z.string(),
});
type VersionV1 = z.infer<typeof VersionV1Schema>;
