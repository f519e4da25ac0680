/**
 * The virtual range: which name has which address, the IPv6 twin, and where a range is free.
 *
 * @module
 */

export {
  AddressPool,
  type AddressPoolOptions,
  type Lease,
  type LeaseRecord,
  MAX_RECORDS,
  MIN_HOST_BITS,
  QUARANTINE_MS,
} from "./pool.ts";
export { dnsAddress, freeSlice, peerAddress, selfAddress, twin, untwin } from "./range.ts";
export { sipHash24 } from "./siphash.ts";
