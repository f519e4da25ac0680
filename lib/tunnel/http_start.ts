/**
 * Tells by its first bytes whether a program speaks HTTP.
 *
 * What counts is what browsers send: a request line with single spaces. A text protocol whose lines begin like a
 * request (`EHLO host`, `SET key value`) is told apart by the first byte that no request line has there. The bytes may
 * come in any pieces: what is `other` stays so with more of them, and what may still become a request line is `more`.
 *
 * @module
 * @see RFC 9112 section 3, RFC 9113 section 3.4
 */

/** What the first bytes are. Everything but `more` is final. */
type HttpStart =
  | { readonly kind: "other" }
  /** Undecided; `certain` once nothing but HTTP begins like this. */
  | { readonly kind: "more"; readonly certain: boolean }
  | {
    readonly kind: "request";
    readonly method: string;
    readonly target: string;
    /** Before HTTP/1.1 a request need not name a host. */
    readonly mustNameHost: boolean;
    /** With its end. */
    readonly lineBytes: number;
  }
  /** The preface of HTTP/2 with prior knowledge; frames follow it. */
  | { readonly kind: "http2" };

export const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** No method has so many letters, and no other protocol begins with so many of them. */
const METHOD_MAX_LETTERS = 64;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TARGET = /^[^\0-\x20\x7f]*$/;
const VERSION = /^HTTP\/([0-9])(?:\.([0-9]))?\r?$/;
const VERSION_BEGUN = /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/[0-9]\.?|HTTP\/[0-9](?:\.[0-9])?\r?)?$/;

const latin1 = new TextDecoder("latin1");

/** Judges what was received so far, from its first byte on. */
export function judgeHttpStart(received: Uint8Array): HttpStart {
  if (received.length === 0) return { kind: "more", certain: false };
  if (startsLikePreface(received)) {
    return received.length < HTTP2_PREFACE.length
      ? { kind: "more", certain: received.includes(0x0a) }
      : { kind: "http2" };
  }
  const lineEnd = received.indexOf(0x0a);
  const line = latin1.decode(lineEnd < 0 ? received : received.subarray(0, lineEnd));
  const [method = "", target, version, rest] = line.split(" ");
  if (rest !== undefined || !METHOD.test(method) || !TARGET.test(target ?? "")) {
    return { kind: "other" };
  }
  if (lineEnd < 0) {
    if (!VERSION_BEGUN.test(version ?? "")) return { kind: "other" };
    const isLong = method.length > METHOD_MAX_LETTERS;
    return { kind: "more", certain: isLong || /^(?:\/|https?:\/\/)/i.test(target ?? "") };
  }
  const [, major, minor] = VERSION.exec(version ?? "") ?? [];
  if (major === undefined || target === undefined || target === "") return { kind: "other" };
  const mustNameHost = `${major}.${minor ?? 0}` >= "1.1";
  return { kind: "request", method, target, mustNameHost, lineBytes: lineEnd + 1 };
}

function startsLikePreface(received: Uint8Array): boolean {
  const length = Math.min(received.length, HTTP2_PREFACE.length);
  for (let at = 0; at < length; at++) {
    if (received[at] !== HTTP2_PREFACE.charCodeAt(at)) return false;
  }
  return true;
}
