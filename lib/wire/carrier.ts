/**
 * The JSON inside `open` and `error` frames of a carrier.
 *
 * @module
 */
import { z } from "zod";

/** `open`: which flow begins. */
export const OpenSchema = z.object({
  flow_id: z.string().regex(/^[0-9A-Za-z_-]{1,64}$/),
  /** The port the client asked for; what it may have stands in its certificate. */
  port: z.int().min(1).max(65_535),
  /** The client program's own end, as text, for the record: `127.0.0.1:40312`. */
  source: z.string().max(64).optional(),
  /** Whether whoever opens it can read a `reset` that says why; older ones take none but an empty one. */
  reasons: z.boolean().optional(),
});
export type Open = z.infer<typeof OpenSchema>;

/** `reset`, where it says anything: why a flow was cut. */
export const CarrierResetSchema = z.object({ code: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/) });

/** `error`: why a flow was not opened. */
export const CarrierErrorSchema = z.object({
  code: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  message: z.string().max(1024),
});
type CarrierError = z.infer<typeof CarrierErrorSchema>;
