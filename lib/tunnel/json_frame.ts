/**
 * JSON as the payload of a carrier's frames.
 *
 * @module
 */
import { parseJson } from "../json.ts";
import type { z } from "zod";
import { CONTROL_MAX_PAYLOAD_BYTES, encodeFrame, type FrameType } from "./frame.ts";

/** Encodes a frame whose payload is JSON. @throws {RangeError} if it is longer than such a frame may be. */
export function encodeJsonFrame(
  type: FrameType,
  value: object,
): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  if (payload.length > CONTROL_MAX_PAYLOAD_BYTES) {
    throw new RangeError(`JSON in a frame is at most ${CONTROL_MAX_PAYLOAD_BYTES} bytes`);
  }
  return encodeFrame(type, payload);
}

/** Decodes the payload of an `open` or `error` frame. @returns `null` if it is not what the schema says. */
export function decodeJson<T>(schema: z.ZodType<T>, payload: Uint8Array): T | null {
  const value = parseJson(payload);
  if (value === undefined) return null;
  return schema.safeParse(value).data ?? null;
}
