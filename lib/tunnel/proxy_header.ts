/**
 * The header a load balancer puts before a connection to say whose it is: PROXY protocol, version 2.
 *
 * Layout, big-endian: signature 12 | version and command u8 | family and protocol u8 | length u16 | addresses and
 * ports of source and destination | TLVs (type u8 | length u16 | value).
 *
 * @module
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt section 2.2
 */
import { decodeIp, type Endpoint, unmapIp } from "../ip/mod.ts";

/** The most a header may take. The addresses need 52 bytes; the rest is what a balancer tells of TLS and clouds. */
export const PROXY_HEADER_MAX_BYTES = 4096;

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const FIXED_BYTES = 16;
const V1_START = [0x50, 0x52, 0x4f, 0x58, 0x59, 0x20]; // "PROXY "

const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPEC = 0x00;
/** Address bytes of TCP over each family. */
const ADDRESS_BYTES: ReadonlyMap<number, 4 | 16> = new Map([[0x11, 4], [0x21, 16]]);

const TLV_CRC32C = 0x03;

/** What is wrong with the start of a connection that must have a header. */
export type ProxyHeaderFault =
  /** It begins like something else. */
  | "missing"
  /** It is the text form, version 1. */
  | "version-1"
  | "too-long"
  /** Neither TCP over IPv4 nor over IPv6. */
  | "family"
  | "checksum"
  | "malformed";

/** What somebody says who is no balancer, where one is expected: the connection is their own. */
export const PROXY_LOCAL_HEADER: Uint8Array = new Uint8Array([...SIGNATURE, LOCAL, UNSPEC, 0, 0]);

/** How far the first bytes of a connection have come. */
export type ProxyHeaderProgress =
  | { readonly kind: "more" }
  /** `bytes` is its length; `source` is `null` where the balancer speaks for itself, to see whether we are well. */
  | { readonly kind: "header"; readonly bytes: number; readonly source: Endpoint | null }
  | { readonly kind: "bad"; readonly fault: ProxyHeaderFault };

/** Reads a header from the first bytes of a connection, all that have come; what is behind it is not looked at. */
export function decodeProxyHeader(received: Uint8Array): ProxyHeaderProgress {
  if (!beginsAs(received, SIGNATURE)) {
    if (!beginsAs(received, V1_START)) return bad("missing");
    return received.length < V1_START.length ? { kind: "more" } : bad("version-1");
  }
  if (received.length < FIXED_BYTES) return { kind: "more" };
  const view = new DataView(received.buffer, received.byteOffset, received.byteLength);
  const bytes = FIXED_BYTES + view.getUint16(14);
  if (bytes > PROXY_HEADER_MAX_BYTES) return bad("too-long");
  if (received.length < bytes) return { kind: "more" };
  const command = view.getUint8(12);
  if (command !== LOCAL && command !== PROXY) return bad("malformed");
  const family = view.getUint8(13);
  const header = received.subarray(0, bytes);
  // Of a balancer that speaks for itself, or does not know, the rest means nothing
  if (command === LOCAL || family === UNSPEC) return { kind: "header", bytes, source: null };
  const size = ADDRESS_BYTES.get(family);
  if (size === undefined) return bad("family");
  const addressesEnd = FIXED_BYTES + 2 * size + 4;
  if (bytes < addressesEnd) return bad("malformed");
  const fault = checkTlvs(header, addressesEnd);
  if (fault !== null) return bad(fault);
  const address = decodeIp(header.subarray(FIXED_BYTES, FIXED_BYTES + size));
  if (address === null) return bad("malformed");
  const port = view.getUint16(FIXED_BYTES + 2 * size);
  return { kind: "header", bytes, source: { address: unmapIp(address), port } };
}

/** Steps over TLVs, and holds the header against its checksum if it has one. */
function checkTlvs(header: Uint8Array, start: number): ProxyHeaderFault | null {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  for (let at = start; at < header.length;) {
    if (at + 3 > header.length) return "malformed";
    const length = view.getUint16(at + 1);
    const valueAt = at + 3;
    if (valueAt + length > header.length) return "malformed";
    if (view.getUint8(at) === TLV_CRC32C) {
      if (length !== 4) return "malformed";
      const zeroed = header.slice();
      zeroed.fill(0, valueAt, valueAt + 4);
      if (crc32c(zeroed) !== view.getUint32(valueAt)) return "checksum";
    }
    at = valueAt + length;
  }
  return null;
}

/** @see RFC 9260 appendix A */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function beginsAs(received: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, at) => at >= received.length || received[at] === byte);
}

function bad(fault: ProxyHeaderFault): ProxyHeaderProgress {
  return { kind: "bad", fault };
}
