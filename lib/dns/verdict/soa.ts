/**
 * The SOA record of the zones we make up, in the form of RFC 6303.
 *
 * @module
 * @see RFC 2308 section 5, RFC 6303 section 3
 */

import type { DomainName } from "../name.ts";
import { NEGATIVE_TTL_SECONDS } from "./verdict.ts";
import { encodeName } from "../wire/wire_name.ts";

/**
 * What follows the primary server's name: mailbox `nobody.invalid`, serial, refresh, retry, expire, minimum.
 * The minimum is what negative answers are cached for.
 */
export const SOA_TAIL: Uint8Array = soaTail();

/** The data of a zone's SOA record, names uncompressed; the zone itself stands for its server. */
export function soaRdata(zone: DomainName): Uint8Array {
  const server = encodeName(zone);
  const rdata = new Uint8Array(server.length + SOA_TAIL.length);
  rdata.set(server);
  rdata.set(SOA_TAIL, server.length);
  return rdata;
}

function soaTail(): Uint8Array {
  const mailbox = encodeName("nobody.invalid");
  const tail = new Uint8Array(mailbox.length + 20);
  tail.set(mailbox);
  const numbers = new DataView(tail.buffer, mailbox.length);
  for (const [index, value] of [1, 3600, 1200, 604_800, NEGATIVE_TTL_SECONDS].entries()) {
    numbers.setUint32(index * 4, value);
  }
  return tail;
}
