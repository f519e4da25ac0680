/**
 * The numbers of DNS and their names. Codes unknown here are kept, written `TYPE65280` as RFC 3597 says.
 *
 * @module
 * @see IANA, "Domain Name System (DNS) Parameters"
 */

/** Record types with a name here. */
export const RR_TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  TLSA: 52,
  SVCB: 64,
  HTTPS: 65,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  CAA: 257,
} as const;

/** Classes. */
export const RR_CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

/** Response codes; BADVERS needs an OPT record to be said. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

/** Bits of the header's second word. */
export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
} as const;

/** Info codes of Extended DNS Errors (RFC 8914) that we use. */
export const EDE = {
  OTHER: 0,
  NOT_READY: 14,
  BLOCKED: 15,
  PROHIBITED: 18,
  NOT_SUPPORTED: 21,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const;

/** Why an answer is as it is, for people: RFC 8914. */
export interface ExtendedError {
  /** Info code, 16 bits. */
  readonly code: number;
  /** One short phrase, sent as UTF-8; cut to 200 bytes on the wire. */
  readonly text: string;
}

const TYPE_NAMES = new Map<number, string>(
  Object.entries(RR_TYPE).map(([name, code]) => [code, name]),
);
const RCODE_NAMES = new Map<number, string>(
  Object.entries(RCODE).map(([name, code]) => [code, name]),
);

/** Writes a record type: `AAAA`, or `TYPE65280` if it has no name here. */
export function formatRrType(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/**
 * Reads a record type by name in any case, or as `TYPE65280`.
 *
 * @throws {SyntaxError} If the text names no type.
 * @see RFC 3597 section 5
 */
export function parseRrType(text: string): number {
  const upper = text.toUpperCase();
  const known = new Map<string, number>(Object.entries(RR_TYPE)).get(upper);
  if (known !== undefined) return known;
  const digits = /^TYPE(0|[1-9][0-9]{0,4})$/.exec(upper)?.[1];
  if (digits === undefined || Number(digits) > 65535) {
    throw new SyntaxError(`Cannot read "${text}": not a record type like AAAA or TYPE65`);
  }
  return Number(digits);
}

/** Writes a response code: `NXDOMAIN`, or `RCODE23` if it has no name here. */
export function formatRcode(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}
