/**
 * The HTTP proxy that stands between a machine and the cluster's proxy, as the environment names it: `HTTPS_PROXY`,
 * `HTTP_PROXY`, `NO_PROXY`, in upper or lower case.
 *
 * @module
 */
import { ConfigError } from "../error.ts";
import { formatHostPort, type HostPort, parseHost } from "./host_port.ts";
import { matchesNoProxy, type NoProxyRule, parseNoProxy } from "./no_proxy.ts";

/** A proxy that opens connections for us (`CONNECT`). */
export interface HttpProxy extends HostPort {
  /** Shown with every connection; `null` if none were given. */
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

/** What the variables say. */
export interface ProxyVariables {
  /** `null` if there is none. */
  readonly proxy: HttpProxy | null;
  readonly noProxy: readonly NoProxyRule[];
}

/** Nothing said: everybody is reached without a proxy. */
export const NO_PROXY_VARIABLES: ProxyVariables = { proxy: null, noProxy: [] };

const DEFAULT_PORT = 80;
/** What is spoken to the cluster is TLS: the proxy for HTTPS comes first, the other will do. */
const NAMES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] as const;

/**
 * Reads the variables. Of a name, upper case comes first; an empty value is not set.
 *
 * @throws {ConfigError} when the one that counts names no proxy that can be used. It repeats no password.
 */
export function readProxyVariables(env: (name: string) => string | undefined): ProxyVariables {
  const value = (name: string) => env(name)?.trim() ?? "";
  const noProxy = parseNoProxy(value("NO_PROXY") || value("no_proxy"));
  const name = NAMES.find((name) => value(name) !== "");
  if (name === undefined) return { proxy: null, noProxy };
  const proxy = parseHttpProxy(value(name));
  if (proxy !== null) return { proxy, noProxy };
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value(name)) ?? [];
  const isOther = scheme !== undefined && scheme.toLowerCase() !== "http";
  throw new ConfigError("the environment", [{
    path: name,
    found: isOther ? `a proxy of the kind "${scheme}"` : "no URL of an HTTP proxy",
    expected: "http://[USER:PASSWORD@]HOST[:PORT], user and password percent-encoded",
  }], { hint: `Correct ${name}, or unset it` });
}

/** Decides how a host is reached. @returns `null` for: directly. */
export function proxyFor(to: HostPort, { proxy, noProxy }: ProxyVariables): HttpProxy | null {
  return proxy === null || matchesNoProxy(noProxy, to) ? null : proxy;
}

/** Reads the URL of a proxy; `http://` may be left out. @returns `null` if it is none that can be used. */
export function parseHttpProxy(text: string): HttpProxy | null {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.protocol !== "http:") return null;
  const host = parseHost(url.hostname);
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  const [user, password] = [decode(url.username), decode(url.password)];
  if (host === null || port === 0 || user === null || password === null) return null;
  if (user.includes(":")) return null; // RFC 7617 section 2
  return { host, port, credentials: user === "" ? null : { user, password } };
}

/** Writes what {@link parseHttpProxy} reads, with the password. */
export function formatHttpProxy({ credentials, ...address }: HttpProxy): string {
  const login = credentials === null
    ? ""
    : `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}@`;
  return `http://${login}${formatHostPort(address)}`;
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
