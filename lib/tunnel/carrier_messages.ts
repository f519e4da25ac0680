/**
 * The JSON inside `open` and `error` frames.
 *
 * @module
 */
import { z } from "zod";
import { CONTROL_MAX_PAYLOAD_BYTES, encodeFrame, type FrameType } from "./frame.ts";

/** `open`: which flow begins. */
export const OpenSchema = z.object({
  flow_id: z.string().regex(/^[0-9A-Za-z_-]{1,64}$/),
  /** The port the client asked for; what it may have stands in its certificate. */
  port: z.int().min(1).max(65_535),
  /** The client program's own end, as text, for the record: `127.0.0.1:40312`. */
  source: z.string().max(64).optional(),
});
export type Open = z.infer<typeof OpenSchema>;

/** `error`: why a flow was not opened. */
export const CarrierErrorSchema = z.object({
  code: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  message: z.string().max(1024),
});
export type CarrierError = z.infer<typeof CarrierErrorSchema>;

/** Encodes a frame whose payload is JSON. @throws {RangeError} if it is longer than such a frame may be. */
export function encodeJsonFrame(
  type: FrameType,
  value: Open | CarrierError,
): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  if (payload.length > CONTROL_MAX_PAYLOAD_BYTES) {
    throw new RangeError(`JSON in a frame is at most ${CONTROL_MAX_PAYLOAD_BYTES} bytes`);
  }
  return encodeFrame(type, payload);
}

/** Decodes the payload of an `open` or `error` frame. @returns `null` if it is not what the schema says. */
export function decodeJson<T>(schema: z.ZodType<T>, payload: Uint8Array): T | null {
  try {
    const result = schema.safeParse(
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)),
    );
    return result.success ? result.data : null;
  } catch {
    return null; // not UTF-8, or not JSON
  }
}
