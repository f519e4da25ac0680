/**
 * The way through an HTTP proxy: `CONNECT`, then the bytes are ours. The proxy sees where to, and TLS. It may want TLS
 * to itself as well, with a certificate for its own name.
 *
 * @module
 * @see RFC 9110 section 9.3.6
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import { VnetError } from "../error.ts";
import { type ConnectionRefusalCode, refusalError } from "../refusal/mod.ts";
import { alertCause, connectCause } from "./cause.ts";
import { formatHostPort, type HostPort } from "../ip/mod.ts";
import { HeadCutOff, type HttpHead, parseHead, readHead } from "./http_head.ts";
import { type Dialer, dialTcp } from "./tcp.ts";
import { startTlsClient } from "./tls.ts";
import {
  judgeServer,
  type MoreAuthorities,
  type TrustContext,
  trustContext,
} from "./x509/trust.ts";

/** A proxy that opens connections for us; `HttpProxy` of config/ has this shape. */
interface HttpProxyAddress extends HostPort {
  readonly scheme: "http" | "https";
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

interface ThroughOptions {
  /** Whom to trust beside the public authorities, for a proxy with TLS. */
  readonly authorities?: MoreAuthorities | null;
  /** How the proxy itself is reached. */
  readonly dial?: Dialer;
}

const MAX_HEAD_BYTES = 16_384;

/**
 * Opens connections through a proxy, which resolves the name. Whoever dials sets the deadline. The dialer throws
 * `http-proxy-unreachable`, `http-proxy-untrusted`, `http-proxy-denied` when it wants other credentials,
 * `http-proxy-refused`.
 */
export function dialThrough(proxy: HttpProxyAddress, options: ThroughOptions = {}): Dialer {
  const { dial = dialTcp, authorities = null } = options;
  let trust: Promise<TrustContext> | null = null;
  const trusting = () =>
    trust ??= trustContext(
      { builtIn: true, pems: [], more: authorities },
      { identity: null, minVersion: "TLSv1.2" },
    );
  const through: Dialer = async (address, signal) => {
    const fail = (code: ConnectionRefusalCode, detail: Detail = {}) =>
      refusalError(
        code,
        `Cannot reach "${formatHostPort(address)}" through the HTTP proxy "${
          formatHostPort(proxy)
        }"`,
        detail,
      );
    const tcp = await dial(proxy, signal).catch((cause) => {
      if (signal.aborted) throw signal.reason;
      const { state, hint } = connectCause(cause, proxy);
      throw fail("http-proxy-unreachable", {
        state: `the HTTP proxy cannot be reached: ${state}`,
        ...(hint === undefined ? {} : { hint }),
        cause,
      });
    });
    let socket: net.Socket = tcp;
    try {
      if (proxy.scheme === "https") {
        socket = await secure(tcp, { proxy, trust: await trusting(), fail }, signal);
      }
      socket.write(connectRequest(address, proxy));
      const { head, hasMore } = await readHead(socket, MAX_HEAD_BYTES, signal);
      const answer = parseHead(head);
      if (answer !== null && isSuccess(answer.status)) {
        if (!hasMore) return socket;
        // What the other end says first would be lost
        throw fail("http-proxy-refused", { state: "the HTTP proxy says more than an answer" });
      }
      const refusal = explain(answer, { address, proxy });
      throw fail(refusal.code, refusal);
    } catch (thrown) {
      socket.on("error", () => {}); // an error after this has nobody to go to
      socket.destroy();
      if (signal.aborted) throw signal.reason;
      if (thrown instanceof HeadCutOff) {
        throw fail("http-proxy-refused", { state: explainCut(thrown), cause: thrown });
      }
      throw thrown;
    }
  };
  return Object.assign(through, { via: formatHostPort(proxy) });
}

/** What a message says beside the table's words, or in their place. */
interface Detail {
  readonly state?: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

type Fail = (code: ConnectionRefusalCode, detail?: Detail) => VnetError;

/** Does TLS with the proxy itself. */
async function secure(
  tcp: net.Socket,
  means: { readonly proxy: HttpProxyAddress; readonly trust: TrustContext; readonly fail: Fail },
  signal: AbortSignal,
): Promise<net.Socket> {
  const { proxy, trust, fail } = means;
  const { context } = trust;
  const session = await startTlsClient(
    tcp,
    { context, serverName: proxy.host, protocols: ["http/1.1"] },
    signal,
  ).catch((cause) => {
    if (signal.aborted) throw signal.reason;
    const { state } = alertCause(cause) ?? { state: "it does not speak TLS" };
    throw fail("http-proxy-unreachable", {
      state: `TLS with the HTTP proxy failed: ${state}`,
      hint: "If it is a proxy without TLS, name it with http:// instead of https://",
      cause,
    });
  });
  const whose = "the HTTP proxy's";
  const distrust = judgeServer(session, trust, { host: proxy.host, whose, nowMs: Date.now() });
  if (distrust === null) return session.socket;
  session.socket.destroy();
  throw fail("http-proxy-untrusted", { state: distrust.state, hint: HINTS.untrusted });
}

function connectRequest(address: HostPort, { credentials }: HttpProxyAddress): string {
  const target = formatHostPort(address);
  const login = credentials === null
    ? ""
    : `Proxy-Authorization: Basic ${
      Buffer.from(`${credentials.user}:${credentials.password}`, "utf8").toString("base64")
    }\r\n`;
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login}\r\n`;
}

/** Says how the answer came to no end. */
function explainCut({ why, head }: HeadCutOff): string {
  if (why === "too-long") return "the HTTP proxy's answer is no HTTP, or too long";
  const when = head === "" ? "without a word" : "within its answer";
  return `the HTTP proxy closed the connection ${when}`;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

interface Refused {
  readonly code: ConnectionRefusalCode;
  readonly state: string;
  readonly hint?: string;
}

/** Says what an answer that is no success means. */
function explain(
  answer: HttpHead | null,
  { address, proxy }: { readonly address: HostPort; readonly proxy: HttpProxyAddress },
): Refused {
  const code = "http-proxy-refused";
  if (answer === null) {
    return { code, state: "the HTTP proxy's answer is not HTTP", hint: HINTS.noProxy };
  }
  const { status, fields } = answer;
  const target = formatHostPort(address);
  if (/^x-squid-error: *ERR_DNS_FAIL|^proxy-status:.*\berror="?dns_/im.test(fields)) {
    const state = `the HTTP proxy cannot resolve "${address.host}" (${status})`;
    return { code, state, hint: HINTS.resolve };
  }
  switch (status) {
    case 401: // of tinyproxy for wrong ones
    case 407:
      return explainDenial(fields, proxy);
    case 403:
      return { code, state: `the HTTP proxy does not allow connections to ${target} (403)` };
    case 400:
    case 404:
    case 405:
    case 501:
      return {
        code,
        state: `the HTTP proxy does not know CONNECT (${status}), or is none`,
        hint: HINTS.noProxy,
      };
    case 500:
    case 502:
    case 503:
      return {
        code,
        state: `the HTTP proxy cannot reach ${target} (${status})`,
        hint: HINTS.resolve,
      };
    case 504:
      return { code, state: `the HTTP proxy gets no answer from ${target} (504)` };
  }
  if (status >= 300 && status < 400) {
    const state = `the HTTP proxy sends elsewhere (${status}) instead of opening the connection`;
    return { code, state, hint: HINTS.redirect };
  }
  return { code, state: `the HTTP proxy does not open the connection (status ${status})` };
}

function explainDenial(fields: string, { credentials }: HttpProxyAddress): Refused {
  const code = "http-proxy-denied";
  const offered = [...fields.matchAll(/^(?:proxy|www)-authenticate: *([a-z]+)/gim)]
    .map(([, scheme = ""]) => scheme);
  if (offered.length > 0 && !offered.some((scheme) => scheme.toLowerCase() === "basic")) {
    const state = `the HTTP proxy wants a login by ${offered.join(" or ")}, vnet knows Basic only`;
    return { code, state, hint: HINTS.kerberos };
  }
  return credentials === null
    ? { code, state: "the HTTP proxy wants a user name and a password" }
    : { code, state: "the HTTP proxy rejected the user name or password" };
}

const HINTS = {
  noProxy: "Check that HTTPS_PROXY names an HTTP proxy, and its port",
  resolve: "Check the name of the cluster's proxy: it is the HTTP proxy that resolves it",
  redirect: "It may want you to log in first: open any page in a browser",
  untrusted:
    "Name the certificate of the authority that issued it: `--ca-file FILE` (agent: `ca_file`), and check that HTTPS_PROXY has the proxy's own name",
  kerberos:
    "Ask for an exception or a proxy with Basic; a local forwarder such as cntlm or px helps, too",
} as const;
