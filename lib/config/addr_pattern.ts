/**
 * Which public addresses the apps of an agent may take: DNS names, `*.` and a name for all that is below it, or `*`.
 *
 * @module
 */
import { domainName } from "./fields.ts";

/** What a pattern looks like, for whoever wrote another. */
export const ADDR_PATTERN_WORDS =
  "a DNS name like db.example.com, *.example.com for all names below one, or *";

/** Reads a pattern. @returns It in its one spelling, or `null` if it is none. */
export function parseAddrPattern(text: string): string | null {
  if (text === "*") return text;
  const isBelow = text.startsWith("*.");
  const { data } = domainName.safeParse(isBelow ? text.slice(2) : text);
  return data === undefined ? null : isBelow ? `*.${data}` : data;
}

/** Whether an address, in its one spelling, fits a pattern that {@link parseAddrPattern} gave. */
export function matchesAddrPattern(pattern: string, address: string): boolean {
  if (pattern === "*") return true;
  return pattern.startsWith("*.") ? address.endsWith(pattern.slice(1)) : address === pattern;
}
