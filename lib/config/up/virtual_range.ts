/**
 * Where virtual addresses may come from.
 *
 * @module
 */
import { MIN_HOST_BITS } from "../../cidr/mod.ts";
import { isPrivatePrefix, parseIpv4Prefix, type Prefix } from "../../ip/mod.ts";

/** Lengths of an IPv4 prefix: no private network is larger, and in a smaller range no names fit. */
export const RANGE_LENGTHS = { largest: 8, smallest: 32 - MIN_HOST_BITS } as const;

/** The sizes in words. */
export const RANGE_SIZES = `from /${RANGE_LENGTHS.largest} to /${RANGE_LENGTHS.smallest}`;

/** What may be written for a range, as the end of a message. */
export const RANGE_WORDS =
  `a private IPv4 range like 100.64.0.0/10 with zero host bits, ${RANGE_SIZES}`;

/** What a text is that should be a range. */
export type RangeVerdict =
  | { readonly kind: "range"; readonly range: Prefix }
  /** @property why The state that is at fault, as the end of a message. */
  | { readonly kind: "refused"; readonly why: string };

/** Tells whether a prefix is IPv4 and of a size that a virtual range may have. */
export function hasRangeSize({ address, length }: Prefix): boolean {
  return address.family === 4 && length >= RANGE_LENGTHS.largest &&
    length <= RANGE_LENGTHS.smallest;
}

/** Reads the range somebody wants addresses from: private IPv4 without host bits, of a usable size. */
export function readVirtualRange(text: string): RangeVerdict {
  const range = readPrefix(text);
  if (typeof range === "string") return { kind: "refused", why: range };
  if (!hasRangeSize(range)) return { kind: "refused", why: `a range is ${RANGE_SIZES}` };
  if (!isPrivatePrefix(range)) return { kind: "refused", why: "it is public address space" };
  return { kind: "range", range };
}

/** Tells whether somebody may want addresses from a range. */
export function isVirtualRange(text: string): boolean {
  return readVirtualRange(text).kind === "range";
}

/** @returns What is wrong with it, if it is none. */
function readPrefix(text: string): Prefix | string {
  try {
    return parseIpv4Prefix(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return thrown.message.replace(/^.*": /s, "");
  }
}
