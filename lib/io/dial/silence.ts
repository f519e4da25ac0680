import type { VnetError } from "../../error.ts";
import { formatHostPort, type HostPort } from "../../ip/mod.ts";
import { type ConnectionRefusalCode, refusalError } from "../../refusal/mod.ts";

/** How long a proxy may be silent before another is tried beside it. */
export const PROXY_SILENCE_MS = 3_000;

/** How long all the proxies of a cluster have to answer. */
export const PROXIES_MS = 9_000;

/** What ends the way to one proxy and says nothing of another. */
const WAY_CODES: readonly string[] = [
  "draining",
  "ca-pin-mismatch",
  "http-proxy-refused",
  "http-proxy-unreachable",
  "proxy-closed",
  "proxy-in-range",
  "proxy-silent",
  "proxy-timeout",
  "proxy-unreachable",
  "proxy-untrusted",
] satisfies readonly ConnectionRefusalCode[];

/** Whether another proxy of the cluster may do better; anything else is an answer of the cluster. */
export function isOfTheWay({ code }: VnetError): boolean {
  return WAY_CODES.includes(code);
}

/** The error of proxies that have not answered in time. */
export function silentError(
  act: string,
  proxies: readonly HostPort[],
  ms: number,
  cause: unknown,
): VnetError {
  const names = proxies.map((proxy) => `"${formatHostPort(proxy)}"`).join(" and ");
  return refusalError("proxy-silent", act, {
    state: `the proxy is silent: no answer from ${names} within ${ms / 1000} s`,
    cause,
  });
}
