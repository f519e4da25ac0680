/**
 * Tickets: the first label of an app connection's SNI. They let a proxy refuse strangers before it bothers an
 * agent, and are no credential. Bytes: expiry u40 big-endian seconds | session id 16 | mac 16; text: base32, 60 characters.
 *
 * @module
 */

/** What a ticket says. */
export interface Ticket {
  /** Seconds since 1970. */
  readonly expiresSeconds: number;
  /** 32 hex digits. */
  readonly sessionId: string;
}

/** Bytes of the code that protects a ticket: the first 16 of an HMAC-SHA-256 over `ticketPayload`. */
export const TICKET_MAC_BYTES = 16;
const PAYLOAD_BYTES = 21;
const TICKET_BYTES = PAYLOAD_BYTES + TICKET_MAC_BYTES;
const MAX_EXPIRY_SECONDS = 2 ** 40 - 1;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** The bytes the mac is computed over. */
export function ticketPayload(ticket: Ticket): Uint8Array<ArrayBuffer> {
  const { expiresSeconds, sessionId } = ticket;
  if (!/^[0-9a-f]{32}$/.test(sessionId)) throw new TypeError("A session id has 32 hex digits");
  if (
    !Number.isInteger(expiresSeconds) || expiresSeconds < 0 || expiresSeconds > MAX_EXPIRY_SECONDS
  ) {
    throw new RangeError(`Not an expiry in seconds: ${expiresSeconds}`);
  }
  const payload = new Uint8Array(PAYLOAD_BYTES);
  payload[0] = Math.floor(expiresSeconds / 2 ** 32);
  new DataView(payload.buffer).setUint32(1, expiresSeconds >>> 0);
  for (let i = 0; i < 16; i++) payload[5 + i] = parseInt(sessionId.slice(2 * i, 2 * i + 2), 16);
  return payload;
}

/** Writes a ticket as one DNS label. */
export function encodeTicket(ticket: Ticket, mac: Uint8Array): string {
  if (mac.length !== TICKET_MAC_BYTES) {
    throw new RangeError(`A ticket's mac has ${TICKET_MAC_BYTES} bytes`);
  }
  const bytes = new Uint8Array(TICKET_BYTES);
  bytes.set(ticketPayload(ticket));
  bytes.set(mac, PAYLOAD_BYTES);
  return encodeBase32(bytes);
}

/**
 * Reads a ticket without judging it: the caller compares the mac with its own over `ticketPayload`.
 *
 * @returns The ticket and its mac, or `null` if the text is not a ticket in its one canonical spelling.
 */
export function decodeTicket(
  text: string,
): { readonly ticket: Ticket; readonly mac: Uint8Array<ArrayBuffer> } | null {
  const bytes = decodeBase32(text);
  if (bytes === null || bytes.length !== TICKET_BYTES) return null;
  const seconds = new DataView(bytes.buffer).getUint32(1);
  const sessionId = Array.from(
    bytes.subarray(5, PAYLOAD_BYTES),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
  return {
    ticket: { expiresSeconds: bytes[0]! * 2 ** 32 + seconds, sessionId },
    mac: bytes.slice(PAYLOAD_BYTES),
  };
}

/** Writes bytes in base32, lower case, without padding. @see RFC 4648 section 6 */
function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31];
}

/** Reads base32 in lower case without padding; `null` if it is not what `encodeBase32` writes. */
function decodeBase32(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length > 63) return null;
  const bytes = new Uint8Array(Math.floor(text.length * 5 / 8));
  let length = 0;
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return null;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = (held >> bits) & 0xff;
    }
  }
  return encodeBase32(bytes) === text ? bytes : null;
}
