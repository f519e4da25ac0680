/**
 * How a proxy tells a TLS client why there will be no handshake: the alert that fits, in the clear, as RFC 8446
 * section 6 allows before keys are agreed on.
 *
 * @module
 */
import type { ConnectionRefusalCode } from "../refusal/mod.ts";

/** Refusal → the number of its alert, and how the client's TLS library (rustls) names it. */
const ALERTS = {
  "ticket-refused": { number: 49, name: "AccessDenied" },
  "overloaded": { number: 80, name: "InternalError" },
  "draining": { number: 90, name: "UserCanceled" },
  "no-agent": { number: 112, name: "UnrecognisedName" },
} as const satisfies Partial<Record<ConnectionRefusalCode, { number: number; name: string }>>;

/** The refusals that an alert can tell. */
export type AlertedRefusal = keyof typeof ALERTS;

const CONTENT_TYPE_ALERT = 21;
const FATAL = 2;

/** Encodes a fatal alert as one TLS record. */
export function encodeAlert(refusal: AlertedRefusal): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(CONTENT_TYPE_ALERT, 3, 3, 0, 2, FATAL, ALERTS[refusal].number);
}

/** Reads a refusal out of a TLS library's words. @returns `null` if it speaks of no alert of ours. */
export function refusalOfAlert(message: string): AlertedRefusal | null {
  if (!message.includes("received fatal alert")) return null;
  for (const [refusal, { name }] of Object.entries(ALERTS)) {
    if (message.includes(name)) return refusal as AlertedRefusal;
  }
  return null;
}
