/**
 * SOCKS version 5 as a server reads and writes it: no authentication, and the command CONNECT. Pure.
 *
 * @module
 * @see RFC 1928
 */
import { decodeIp, formatIp } from "../ip/mod.ts";

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NO_METHOD = 0xff;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** How a request is answered: RFC 1928 section 6. */
export const SOCKS_REPLY = {
  succeeded: 0,
  failed: 1,
  notAllowed: 2,
  hostUnreachable: 4,
  refused: 5,
  commandUnsupported: 7,
  addressUnsupported: 8,
} as const;
export type SocksReply = (typeof SOCKS_REPLY)[keyof typeof SOCKS_REPLY];

/** What was read. `length` is how many bytes it took; what follows is not SOCKS any more. */
export type SocksGreeting =
  | { readonly kind: "more" }
  | { readonly kind: "greeting"; readonly length: number; readonly reply: Uint8Array<ArrayBuffer> }
  /** The reply is the last thing that is said. */
  | { readonly kind: "bad"; readonly reply: Uint8Array<ArrayBuffer> };

export type SocksRequest =
  | { readonly kind: "more" }
  | {
    readonly kind: "connect";
    readonly length: number;
    /** As it was asked for: a name, or an address as text. */
    readonly host: string;
    readonly isAddress: boolean;
    readonly port: number;
  }
  | { readonly kind: "bad"; readonly reply: Uint8Array<ArrayBuffer> };

/** Reads which ways to authenticate the client has; the only one taken is none. */
export function readSocksGreeting(bytes: Uint8Array): SocksGreeting {
  const [version, count] = bytes;
  if (version !== undefined && version !== VERSION) {
    return { kind: "bad", reply: method(NO_METHOD) };
  }
  if (count === undefined || bytes.length < 2 + count) return { kind: "more" };
  const methods = bytes.subarray(2, 2 + count);
  if (!methods.includes(NO_AUTHENTICATION)) return { kind: "bad", reply: method(NO_METHOD) };
  return { kind: "greeting", length: 2 + count, reply: method(NO_AUTHENTICATION) };
}

/** Reads what the client wants. */
export function readSocksRequest(bytes: Uint8Array): SocksRequest {
  const [version, command, , type, nameLength] = bytes;
  if (version !== undefined && version !== VERSION) return bad(SOCKS_REPLY.failed);
  if (command !== undefined && command !== CONNECT) return bad(SOCKS_REPLY.commandUnsupported);
  if (type === undefined || nameLength === undefined) return { kind: "more" };
  switch (type) {
    case IPV4:
      return readAddress(bytes, 4, 4);
    case IPV6:
      return readAddress(bytes, 4, 16);
    case NAME:
      if (nameLength === 0) return bad(SOCKS_REPLY.failed);
      return readAddress(bytes, 5, nameLength, "name");
    default:
      return bad(SOCKS_REPLY.addressUnsupported);
  }
}

/** Writes the answer to a request. Where the connection comes from is not told: it has no address of its own. */
export function encodeSocksReply(reply: SocksReply): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(VERSION, reply, 0, IPV4, 0, 0, 0, 0, 0, 0);
}

function readAddress(
  bytes: Uint8Array,
  start: number,
  size: number,
  form: "address" | "name" = "address",
): SocksRequest {
  const end = start + size;
  const [high, low] = bytes.subarray(end, end + 2);
  if (high === undefined || low === undefined) return { kind: "more" };
  const port = high * 256 + low;
  const host = hostOf(bytes.slice(start, end), form);
  if (port === 0 || host === null) return bad(SOCKS_REPLY.failed);
  return { kind: "connect", length: end + 2, host, isAddress: form === "address", port };
}

function hostOf(bytes: Uint8Array<ArrayBuffer>, form: "address" | "name"): string | null {
  if (form === "name") return latin1.decode(bytes);
  const address = decodeIp(bytes);
  return address === null ? null : formatIp(address);
}

const latin1 = new TextDecoder("latin1");

function method(chosen: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(VERSION, chosen);
}

function bad(reply: SocksReply): SocksRequest {
  return { kind: "bad", reply: encodeSocksReply(reply) };
}
