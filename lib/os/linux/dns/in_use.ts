/**
 * What is another vnet's.
 *
 * @module
 */
import { OsError } from "../../../error.ts";

/** Makes the error of an act that would take from another vnet. */
export function inUse(what: string, call: string): OsError {
  return new OsError("dns-in-use", `Cannot ${what}`, {
    call,
    errno: "EWOULDBLOCK",
    hint: "Stop the other one with `vnet down`, or use DNS mode none",
  });
}
