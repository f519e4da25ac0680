/**
 * The HTTP proxy that stands between a machine and the cluster's proxy, as the environment names it: `HTTPS_PROXY`,
 * `HTTP_PROXY`, `NO_PROXY`, in upper or lower case.
 *
 * @module
 */
import { ConfigError } from "../../error.ts";
import { formatHostPort, type HostPort, parseHost } from "../../ip/mod.ts";
import { findNoProxy, type NoProxyRule, parseNoProxy } from "./no_proxy.ts";

/** A proxy that opens connections for us (`CONNECT`). */
export interface HttpProxy extends HostPort {
  /** How the proxy itself is spoken to: `https` is TLS, with a certificate for its name. */
  readonly scheme: "http" | "https";
  /** Shown with every connection; `null` if none were given. */
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

/** What the variables say. */
export interface ProxyVariables {
  /** `null` if there is none. */
  readonly proxy: HttpProxy | null;
  /** The variable that names the proxy; `null` if none does. */
  readonly variable: ProxyVariable | null;
  readonly noProxy: readonly NoProxyRule[];
}

/** Nothing said: everybody is reached without a proxy. */
export const NO_PROXY_VARIABLES: ProxyVariables = { proxy: null, variable: null, noProxy: [] };

/** How a host is reached, and what decided it. */
export interface ProxyDecision {
  /** `null` for: directly. */
  readonly proxy: HttpProxy | null;
  readonly reason: ProxyReason;
}

export type ProxyReason =
  /** No variable names a proxy. */
  | { readonly kind: "unset" }
  /** This one does. */
  | { readonly kind: "variable"; readonly name: ProxyVariable }
  /** One does, but this entry of `NO_PROXY` excepts the host. */
  | { readonly kind: "no-proxy"; readonly entry: string }
  /** One does, but the host is this machine itself. */
  | { readonly kind: "loopback" };

/** What is spoken to the cluster is TLS: the proxy for HTTPS comes first, the other will do. */
const NAMES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] as const;

export type ProxyVariable = (typeof NAMES)[number];

const DEFAULT_PORTS = { http: 80, https: 443 } as const;
const EXPECTED =
  "http://[USER:PASSWORD@]HOST[:PORT] or https://…, user and password percent-encoded";

/**
 * Reads the variables. Of a name, upper case comes first; an empty value is not set.
 *
 * @throws {ConfigError} when the one that counts names no proxy that can be used. It repeats no password.
 */
export function readProxyVariables(env: (name: string) => string | undefined): ProxyVariables {
  const value = (name: string) => env(name)?.trim() ?? "";
  const noProxy = parseNoProxy(value("NO_PROXY") || value("no_proxy"));
  const name = NAMES.find((name) => value(name) !== "");
  if (name === undefined) return { proxy: null, variable: null, noProxy };
  const refuse = (found: string, expected: string) =>
    new ConfigError("the environment", [{ path: name, found, expected }], {
      hint: `Correct ${name}, or unset it`,
    });
  if (name === "HTTP_PROXY" && value("REQUEST_METHOD") !== "") {
    // Under CGI it is what a visitor sent in the header "Proxy"
    throw refuse("a value in a CGI program", "HTTPS_PROXY");
  }
  const proxy = parseHttpProxy(value(name));
  if (proxy !== null) return { proxy, variable: name, noProxy };
  const [, scheme] = SCHEME.exec(value(name)) ?? [];
  const isOther = scheme !== undefined && !isScheme(scheme.toLowerCase());
  throw refuse(isOther ? `a proxy of the kind "${scheme}"` : "no URL of an HTTP proxy", EXPECTED);
}

/**
 * Decides how a host is reached.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { describeProxy, proxyFor, readProxyVariables } from "./http_proxy.ts";
 *
 * const env = new Map([["HTTPS_PROXY", "proxy.example:3128"], ["NO_PROXY", ".corp.example"]]);
 * const variables = readProxyVariables((name) => env.get(name));
 * const far = proxyFor({ host: "cluster.example", port: 443 }, variables);
 * equal(describeProxy(far), "through the HTTP proxy http://proxy.example:3128, by HTTPS_PROXY");
 * equal(proxyFor({ host: "db.corp.example", port: 443 }, variables).proxy, null);
 * ```
 */
export function proxyFor(
  to: HostPort,
  { proxy, variable, noProxy }: ProxyVariables,
): ProxyDecision {
  if (proxy === null || variable === null) return { proxy: null, reason: { kind: "unset" } };
  const exception = findNoProxy(noProxy, to);
  if (exception === null) return { proxy, reason: { kind: "variable", name: variable } };
  if (exception.kind === "loopback") return { proxy: null, reason: { kind: "loopback" } };
  return { proxy: null, reason: { kind: "no-proxy", entry: exception.rule.text } };
}

/** Says how a host is reached and why, to stand in a list of evidence. It has no password. */
export function describeProxy({ proxy, reason }: ProxyDecision): string {
  const way = proxy === null
    ? "directly"
    : `through the HTTP proxy ${formatHttpProxy({ ...proxy, credentials: null })}`;
  switch (reason.kind) {
    case "unset":
      return `${way}: no variable names an HTTP proxy`;
    case "variable":
      return `${way}, by ${reason.name}`;
    case "no-proxy":
      return `${way}, by "${reason.entry}" in NO_PROXY`;
    case "loopback":
      return `${way}: it is this machine itself`;
    default:
      return reason satisfies never;
  }
}

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/** Reads the URL of a proxy; `http://` may be left away. @returns `null` if it is none that can be used. */
export function parseHttpProxy(text: string): HttpProxy | null {
  const url = URL.parse(SCHEME.test(text) ? text : `http://${text}`);
  const scheme = url?.protocol.slice(0, -1);
  if (url === null || scheme === undefined || !isScheme(scheme)) return null;
  const host = parseHost(url.hostname);
  const port = url.port === "" ? DEFAULT_PORTS[scheme] : Number(url.port);
  const [user, password] = [decode(url.username), decode(url.password)];
  if (host === null || port === 0 || user === null || password === null) return null;
  if (user.includes(":")) return null; // RFC 7617 section 2
  return { scheme, host, port, credentials: user === "" ? null : { user, password } };
}

/** Writes what {@link parseHttpProxy} reads, with the password. */
export function formatHttpProxy({ scheme, credentials, ...address }: HttpProxy): string {
  const login = credentials === null
    ? ""
    : `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}@`;
  return `${scheme}://${login}${formatHostPort(address)}`;
}

function isScheme(text: string): text is HttpProxy["scheme"] {
  return text === "http" || text === "https";
}

/** @returns `null` for what is not percent-encoded UTF-8, or holds control characters. */
function decode(text: string): string | null {
  try {
    const decoded = decodeURIComponent(text);
    // deno-lint-ignore no-control-regex -- they are what is looked for
    return /[\x00-\x1f\x7f]/.test(decoded) ? null : decoded;
  } catch {
    return null;
  }
}
