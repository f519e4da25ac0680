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
  | { readonly kind: "everything" }
  /** A name and what is below it, or only what is below it; on every port if `port` is null. */
  | {
    readonly kind: "name";
    readonly name: string;
    readonly onlyBelow: boolean;
    readonly port: number | null;
  }
  | { readonly kind: "addresses"; readonly prefix: Prefix; readonly port: number | null };

/** Reads the list: entries between commas or blanks. An entry that means nothing matches nothing. */
export function parseNoProxy(list: string): readonly NoProxyRule[] {
  return list.split(/[\s,]+/).filter((entry) => entry !== "").map(parseRule);
}

/** Whether a host is reached without a proxy. One's own machine always is; names are not resolved. */
export function matchesNoProxy(rules: readonly NoProxyRule[], { host, port }: HostPort): boolean {
  const address = addressOf(host);
  const name = bareName(host);
  const isOwn = address === null
    ? name === "localhost" || name.endsWith(".localhost")
    : isLoopback(address);
  if (isOwn) return true;
  return rules.some((rule) => {
    if (rule.kind === "everything") return true;
    if (rule.port !== null && rule.port !== port) return false;
    if (rule.kind === "addresses") return address !== null && contains(rule.prefix, address);
    if (address !== null) return false;
    return name.endsWith(`.${rule.name}`) || (!rule.onlyBelow && name === rule.name);
  });
}

function parseRule(entry: string): NoProxyRule {
  if (entry === "*") return { kind: "everything" };
  const slash = entry.indexOf("/");
  const range = slash < 0 ? null : prefixOfText(entry.slice(0, slash), entry.slice(slash + 1));
  if (range !== null) return { kind: "addresses", prefix: range, port: null };
  const alone = addressOf(entry);
  if (alone !== null) return { kind: "addresses", prefix: hostPrefix(alone), port: null };
  const [, host = entry, digits] = /^(.*):(\d{1,5})$/.exec(entry) ?? [];
  const port = digits === undefined ? null : Number(digits);
  const address = addressOf(host.replace(/^\[(.*)\]$/, "$1"));
  if (address !== null) return { kind: "addresses", prefix: hostPrefix(address), port };
  const onlyBelow = /^\*?\./.test(host);
  return { kind: "name", name: bareName(host.replace(/^\*?\./, "")), onlyBelow, port };
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

function bareName(text: string): string {
  return text.toLowerCase().replace(/\.$/, "");
}
