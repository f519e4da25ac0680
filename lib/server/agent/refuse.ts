import { VnetError } from "../../error.ts";
import { type ConnectionRefusalCode, refusalOf } from "../../refusal/mod.ts";

/** The refusal of a flow in the words the client is told; it knows itself what it wanted. */
export function refuse(
  code: ConnectionRefusalCode,
  detail: { readonly state?: string; readonly cause?: unknown } = {},
): VnetError {
  const state = detail.state ?? refusalOf(code).state ?? "refused";
  return new VnetError(code, state, detail.cause === undefined ? {} : { cause: detail.cause });
}
