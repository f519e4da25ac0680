import { z } from "zod";

/** A connection that waits for a second factor. */
export const MfaQuestionSchema = z.object({
  /** What `vnet mfa approve --id` takes. */
  id: z.string(),
  app: z.string(),
  cluster: z.string(),
  port: z.int(),
  user: z.string(),
  since: z.iso.datetime(),
  /** When the connection is refused if nobody answers. */
  until: z.iso.datetime(),
});

/** `vnet mfa ls --format json`: what waits for a second factor, oldest first. */
export const MfaV1Schema = z.object({
  schema: z.literal("vnet.mfa/1"),
  waiting: z.array(MfaQuestionSchema),
});
export type MfaV1 = z.infer<typeof MfaV1Schema>;
