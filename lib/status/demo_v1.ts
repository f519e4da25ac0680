import { z } from "zod";

/** `vnet demo --format json`: each thing the demo tried, and whether it held. */
export const DemoV1Schema = z.object({
  schema: z.literal("vnet.demo/1"),
  held: z.boolean(),
  duration_ms: z.int(),
  steps: z.array(z.object({
    id: z.string(),
    title: z.string(),
    held: z.boolean(),
    evidence: z.string(),
    duration_ms: z.int(),
  })),
});
export type DemoV1 = z.infer<typeof DemoV1Schema>;
