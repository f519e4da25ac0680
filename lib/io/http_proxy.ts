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
import type { HostPort } from "../ip/mod.ts";
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
const HEAD_END = "\r\n\r\n";

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
        `Cannot reach "${authority(address)}" through the HTTP proxy "${authority(proxy)}"`,
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
      const answer = parseHead(await readHead(socket, signal));
      if (answer !== null && isSuccess(answer.status)) return socket;
      const refusal = explain(answer, { address, proxy });
      throw fail(refusal.code, refusal);
    } catch (thrown) {
      socket.on("error", () => {}); // an error after this has nobody to go to
      socket.destroy();
      if (signal.aborted) throw signal.reason;
      if (thrown instanceof BrokenOff) {
        throw fail("http-proxy-refused", { state: thrown.message, cause: thrown });
      }
      throw thrown;
    }
  };
  return Object.assign(through, { via: authority(proxy) });
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

/** The proxy ended the connection before its answer was whole. */
class BrokenOff extends Error {
  override readonly name = "BrokenOff";
}

function connectRequest(address: HostPort, { credentials }: HttpProxyAddress): string {
  const target = authority(address);
  const login = credentials === null
    ? ""
    : `Proxy-Authorization: Basic ${
      Buffer.from(`${credentials.user}:${credentials.password}`, "utf8").toString("base64")
    }\r\n`;
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login}\r\n`;
}

/** Reads the answer's head, and nothing after it: whoever gets the connection speaks first. */
async function readHead(socket: net.Socket, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let head = "";
  const onData = (bytes: Uint8Array) => {
    const before = Math.max(0, head.length - HEAD_END.length);
    head += Buffer.from(bytes).toString("latin1");
    const end = head.indexOf(HEAD_END, before);
    if (end >= 0 && end + HEAD_END.length === head.length) resolve(head);
    else if (end >= 0) {
      // An error may have a page after it; a success is the other end's to go on from
      const isOver = isSuccess(parseHead(head)?.status ?? 0);
      if (isOver) reject(new BrokenOff("the HTTP proxy says more than an answer"));
      else resolve(head.slice(0, end + HEAD_END.length));
    } else if (head.length > MAX_HEAD_BYTES) {
      reject(new BrokenOff("the HTTP proxy's answer is no HTTP, or too long"));
    }
  };
  const onEnd = () =>
    reject(
      new BrokenOff(
        `the HTTP proxy closed the connection ${
          head === "" ? "without a word" : "within its answer"
        }`,
      ),
    );
  const abort = () => reject(signal.reason);
  socket.on("data", onData);
  socket.once("end", onEnd);
  socket.once("close", onEnd);
  socket.once("error", onEnd);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.off("data", onData);
    for (const event of ["end", "close", "error"]) socket.off(event, onEnd);
    socket.pause();
  }
}

interface Head {
  readonly status: number;
  readonly fields: string;
}

/** @returns `null` if the head is no answer. */
function parseHead(head: string): Head | null {
  const [line, status] = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/.exec(head) ?? [];
  if (line === undefined || status === undefined) return null;
  return { status: Number(status), fields: head.slice(line.length) };
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
  answer: Head | null,
  { address, proxy }: { readonly address: HostPort; readonly proxy: HttpProxyAddress },
): Refused {
  const code = "http-proxy-refused";
  if (answer === null) {
    return { code, state: "the HTTP proxy's answer is not HTTP", hint: HINTS.noProxy };
  }
  const { status, fields } = answer;
  const target = authority(address);
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

function authority({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
