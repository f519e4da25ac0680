/**
 * Domain names as people write them, made comparable once: lower case, A-labels, no trailing dot.
 *
 * @module
 * @see RFC 1035 section 2.3.4, RFC 4343, RFC 5890
 */

declare const domainName: unique symbol;

/**
 * A domain name of letters, digits, hyphens and underscores, in lower case and without the trailing dot.
 * At least one label, labels of 1 to 63 characters, at most 253 characters in all.
 */
export type DomainName = string & { readonly [domainName]: true };

/** The longest text of a name; on the wire it takes two bytes more. */
export const NAME_MAX_LENGTH = 253;

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Reads a name in any case, with or without a trailing dot.
 *
 * @throws {SyntaxError} If the text is not a name, or not in ASCII (write `xn--…` for other letters).
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { parseDomainName } from "./name.ts";
 *
 * equal(parseDomainName("DB.Corp.Example."), "db.corp.example");
 * ```
 */
export function parseDomainName(text: string): DomainName {
  const name = foldName(text.endsWith(".") ? text.slice(0, -1) : text);
  if (isDomainName(name)) return name;
  throw new SyntaxError(`Cannot read "${text}" as a domain name: ${objectionTo(name)}`);
}

/** Tells whether a text is a domain name in its one spelling. */
export function isDomainName(text: string): text is DomainName {
  return text.length <= NAME_MAX_LENGTH && text.split(".").every((label) => LABEL.test(label));
}

/** Tells whether a name lies below another, whole labels only; a name is not below itself. */
export function isBelow(name: string, ancestor: string): boolean {
  return name.length > ancestor.length && name.endsWith(ancestor) &&
    name[name.length - ancestor.length - 1] === ".";
}

/**
 * The name one label up.
 *
 * @returns `null` for a name of one label: the root has no text here.
 */
export function parentOf<Name extends string>(name: Name): Name | null {
  const dot = name.indexOf(".");
  return dot < 0 ? null : name.slice(dot + 1) as Name;
}

/** Lower case for ASCII letters and no others (RFC 4343): `toLowerCase` would fold the Kelvin sign. */
function foldName(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function objectionTo(name: string): string {
  if (name === "") return "it is empty";
  if (name.length > NAME_MAX_LENGTH) return `it has more than ${NAME_MAX_LENGTH} characters`;
  const label = name.split(".").find((label) => !LABEL.test(label)) ?? "";
  if (label === "") return "a label is empty";
  if (label.length > 63) return `label "${label}" has more than 63 characters`;
  // deno-lint-ignore no-control-regex
  if (/[^\x00-\x7f]/.test(label)) return `label "${label}" is not ASCII, write its xn-- form`;
  return `label "${label}" has other characters than letters, digits, hyphens inside and underscores`;
}
