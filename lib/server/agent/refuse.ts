import { VnetError } from "../../error.ts";
import { isRefusalCode, REFUSALS } from "../../tunnel/mod.ts";

/** The refusal of a flow in the words the client is told; it knows itself what it wanted. */
export function refuse(
  code: string,
  detail: { readonly state?: string; readonly cause?: unknown } = {},
): VnetError {
  const state = detail.state ?? (isRefusalCode(code) ? REFUSALS[code].state : "refused");
  return new VnetError(code, state, detail.cause === undefined ? {} : { cause: detail.cause });
}
