/**
 * How carriers and data channels name what they are: the application protocol of an app connection, whose server
 * name identity/ reads, and the first line of a data channel.
 *
 * @module
 */

/** What a carrier's client offers as its application protocol. */
export const APP_PROTOCOL = "vnet-app/1";

/** First words of a data channel. */
const DATA_PREFACE = "VNETDATA/1 ";

const TICKET = /^[a-z2-7]{8,63}$/;
/** `VNETDATA/1 `, at most 63 characters, CR LF. */
export const PREFACE_MAX_BYTES = DATA_PREFACE.length + 63 + 2;

/** Writes the first line of a data channel. @throws {TypeError} if the ticket is none. */
export function encodePreface(ticket: string): Uint8Array<ArrayBuffer> {
  if (!TICKET.test(ticket)) {
    throw new TypeError("A data channel needs a ticket of lower-case base32");
  }
  return new TextEncoder().encode(`${DATA_PREFACE}${ticket}\r\n`);
}

/** What is known of a data channel's first bytes; `bytes` is the length of the line with its CR LF. */
type PrefaceProgress =
  | { readonly kind: "more" }
  | { readonly kind: "preface"; readonly ticket: string; readonly bytes: number }
  | { readonly kind: "bad" };

/** Decodes the first line of a data channel from all bytes received so far. */
export function decodePreface(bytes: Uint8Array): PrefaceProgress {
  const end = bytes.subarray(0, PREFACE_MAX_BYTES).indexOf(0x0a);
  const seen = String.fromCharCode(...bytes.subarray(0, end < 0 ? PREFACE_MAX_BYTES : end + 1));
  if (end < 0) {
    const begun = DATA_PREFACE.startsWith(seen) || seen.startsWith(DATA_PREFACE);
    return begun && seen.length < PREFACE_MAX_BYTES ? { kind: "more" } : { kind: "bad" };
  }
  const ticket = seen.slice(DATA_PREFACE.length, -2);
  const whole = seen.startsWith(DATA_PREFACE) && seen.endsWith("\r\n") && TICKET.test(ticket);
  return whole ? { kind: "preface", ticket, bytes: end + 1 } : { kind: "bad" };
}
