import { AuthError, NetworkError, ProtocolError, VnetError } from "../error.ts";
import { readConnectionRefusal, refusalOf } from "./lookup.ts";
import type { ConnectionRefusalCode } from "./table.ts";

/**
 * Makes the error of a code, as thrown at whoever wanted the connection.
 *
 * @param act What was tried, as a sentence without an end: `Cannot open a connection to "db"`.
 * @param detail `state` and `hint` take the place of the table's words when more is known.
 */
export function refusalError(
  code: ConnectionRefusalCode,
  act: string,
  detail: { readonly state?: string; readonly hint?: string; readonly cause?: unknown } = {},
): VnetError {
  const { fault, state, hint: usual } = refusalOf(code);
  const hint = detail.hint ?? usual;
  const message = `${act}: ${detail.state ?? state ?? "refused"}`;
  const rest = { ...(hint === undefined ? {} : { hint }), cause: detail.cause };
  switch (fault) {
    case "network":
      return new NetworkError(code, message, rest);
    case "auth":
      return new AuthError(code, message, rest);
    case "protocol":
      return new ProtocolError(code, message, rest);
    default:
      return new VnetError(code, message, rest);
  }
}

/** Makes the error of a code that a peer of any version tells. @param act As for {@link refusalError}. */
export function toldError(told: string, act: string): VnetError {
  const code = readConnectionRefusal(told);
  return code === null
    ? new NetworkError(told, `${act}: the other end says "${told}"`)
    : refusalError(code, act);
}
