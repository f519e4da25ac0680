/**
 * `NO_PROXY`: who is reached without an HTTP proxy. Nothing standardizes it; this is what Go's and curl's readers have
 * in common, and where they differ, Go's.
 *
 * @module
 */
import {
  bitsOf,
  contains,
  type HostPort,
  type IpAddress,
  isLoopback,
  parseIp,
  type Prefix,
  prefixOf,
  unmapIp,
} from "../../ip/mod.ts";

/** One entry of the list. */
export type NoProxyRule =
  & {
    /** As it was written. */
    readonly text: string;
  }
  & (
    | { readonly kind: "everything" }
    /** A name and what is below it, or only what is below it; on every port if `port` is null. */
    | {
      readonly kind: "name";
      readonly name: string;
      readonly onlyBelow: boolean;
      readonly port: number | null;
    }
    | { readonly kind: "addresses"; readonly prefix: Prefix; readonly port: number | null }
  );

/** Why a host is reached without a proxy. */
export type NoProxyException =
  /** One's own machine always is. */
  | { readonly kind: "loopback" }
  | { readonly kind: "rule"; readonly rule: NoProxyRule };

/** Reads the list: entries between commas or blanks. An entry that means nothing is left out. */
export function parseNoProxy(list: string): readonly NoProxyRule[] {
  return list.split(/[\s,]+/).filter((entry) => entry !== "").flatMap(parseRule);
}

/**
 * Finds what has a host reached without a proxy. Names are compared, never resolved.
 *
 * @returns `null` if the proxy is to be used.
 */
export function findNoProxy(
  rules: readonly NoProxyRule[],
  { host, port }: HostPort,
): NoProxyException | null {
  const address = addressOf(host);
  // An address with a zone is neither in a range nor below a domain, whatever the zone is called (CVE-2025-22870)
  const name = host.includes(":") ? null : asciiName(host);
  const isOwn = address === null ? name === "localhost" : isLoopback(address);
  if (isOwn) return { kind: "loopback" };
  const rule = rules.find((rule) => {
    if (rule.kind === "everything") return true;
    if (rule.port !== null && rule.port !== port) return false;
    if (rule.kind === "addresses") return address !== null && contains(rule.prefix, address);
    if (address !== null || name === null) return false;
    return name.endsWith(`.${rule.name}`) || (!rule.onlyBelow && name === rule.name);
  });
  return rule === undefined ? null : { kind: "rule", rule };
}

function parseRule(text: string): readonly NoProxyRule[] {
  if (text === "*") return [{ kind: "everything", text }];
  const slash = text.indexOf("/");
  const range = slash < 0 ? null : prefixOfText(text.slice(0, slash), text.slice(slash + 1));
  if (range !== null) return [{ kind: "addresses", prefix: range, port: null, text }];
  const alone = addressOf(text);
  if (alone !== null) return [{ kind: "addresses", prefix: hostPrefix(alone), port: null, text }];
  const [, host = text, digits] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const port = digits === undefined ? null : Number(digits);
  const address = addressOf(host.replace(/^\[(.*)\]$/, "$1"));
  if (address !== null) return [{ kind: "addresses", prefix: hostPrefix(address), port, text }];
  const onlyBelow = /^\*?\./.test(host);
  const name = asciiName(host.replace(/^\*?\./, ""));
  return name === "" ? [] : [{ kind: "name", name, onlyBelow, port, text }];
}

function prefixOfText(text: string, length: string): Prefix | null {
  const address = addressOf(text);
  if (address === null || !/^\d{1,3}$/.test(length)) return null;
  return Number(length) > bitsOf(address.family) ? null : prefixOf(address, Number(length));
}

function hostPrefix(address: IpAddress): Prefix {
  return { address, length: bitsOf(address.family) };
}

/** @returns `null` for a name. */
function addressOf(text: string): IpAddress | null {
  try {
    return unmapIp(parseIp(text));
  } catch {
    return null;
  }
}

/** A name in lower case, in its ASCII form, without the dot at its end. */
function asciiName(text: string): string {
  const bare = text.toLowerCase().replace(/\.$/, "");
  // deno-lint-ignore no-control-regex -- ASCII is what is asked for
  if (/^[\x00-\x7f]*$/.test(bare)) return bare;
  return URL.parse(`http://${bare}`)?.hostname ?? bare; // IDNA
}
