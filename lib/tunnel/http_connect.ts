/**
 * The request that an HTTP proxy reads: CONNECT, and nothing else. Pure.
 *
 * @module
 * @see RFC 9110 section 9.3.6, RFC 9112 section 3.2.3
 */
import { type HostPort, parseHostPort } from "../ip/mod.ts";

/** The longest head of a request that is read. */
export const CONNECT_HEAD_MAX_BYTES = 8192;

/** What was read; `length` is how many bytes the head took. */
export type ConnectRequest =
  | { readonly kind: "more" }
  | { readonly kind: "connect"; readonly length: number; readonly to: HostPort }
  /** HTTP of another kind: a request that a proxy would have to send on itself, or one to the proxy. */
  | { readonly kind: "other" }
  | { readonly kind: "bad" };

const HEAD_END = /\r?\n\r?\n/;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\0-\x20\x7f]+) HTTP\/1\.[01]$/;
const latin1 = new TextDecoder("latin1");

/** Reads the head of a request. */
export function readConnect(received: Uint8Array): ConnectRequest {
  const text = latin1.decode(received.subarray(0, CONNECT_HEAD_MAX_BYTES));
  const end = HEAD_END.exec(text);
  if (end === null) {
    return received.length < CONNECT_HEAD_MAX_BYTES ? { kind: "more" } : { kind: "bad" };
  }
  const [line = ""] = text.split(/\r?\n/, 1);
  const [, method, target] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined) return { kind: "bad" };
  if (method !== "CONNECT") return { kind: "other" };
  const to = parseHostPort(target, null);
  return to === null ? { kind: "bad" } : { kind: "connect", length: end.index + end[0].length, to };
}

/** Writes an answer. One that is not 200 has a text for people, and is the last thing that is said. */
export function encodeConnectReply(status: number, text = ""): Uint8Array<ArrayBuffer> {
  const reason = REASONS[status] ?? "";
  const body = new TextEncoder().encode(text);
  const fields = status === 200 ? [] : [
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ];
  const head = [`HTTP/1.1 ${status} ${reason}`, ...fields, "", ""].join("\r\n");
  return new TextEncoder().encode(head + text);
}

const REASONS: Readonly<Record<number, string>> = {
  200: "Connection established",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  501: "Not Implemented",
  502: "Bad Gateway",
  504: "Gateway Timeout",
};
