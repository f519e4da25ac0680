/**
 * The way through an HTTP proxy: `CONNECT`, then the bytes are ours. The proxy sees where to, and TLS.
 *
 * @module
 * @see RFC 9110 section 9.3.6
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import type { HostPort } from "../ip/mod.ts";
import { type ConnectionRefusalCode, refusalError } from "../refusal/mod.ts";
import { type Dialer, dialTcp } from "./tcp.ts";

/** A proxy that opens connections for us; `HttpProxy` of config/ has this shape. */
interface HttpProxyAddress extends HostPort {
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

const MAX_HEAD_BYTES = 16_384;
const HEAD_END = "\r\n\r\n";
/** What says that the credentials are not good: 407 by the book, 401 by tinyproxy for wrong ones. */
const DENIALS: readonly (number | null)[] = [407, 401];

/**
 * Opens connections through a proxy, which resolves the name. Whoever dials sets the deadline. The dialer throws a
 * `NetworkError`: `http-proxy-unreachable`, `http-proxy-denied` when it rejects the credentials, `http-proxy-refused`.
 */
export function dialThrough(proxy: HttpProxyAddress, dial: Dialer = dialTcp): Dialer {
  return async (address, signal) => {
    const fail = (code: ConnectionRefusalCode, detail: { state?: string; cause?: unknown } = {}) =>
      refusalError(
        code,
        `Cannot reach "${authority(address)}" through the HTTP proxy "${authority(proxy)}"`,
        detail,
      );
    const socket = await dial(proxy, signal).catch((cause) => {
      if (signal.aborted) throw signal.reason;
      throw fail("http-proxy-unreachable", { cause });
    });
    try {
      socket.write(connectRequest(address, proxy));
      const status = statusOf(await readHead(socket, signal));
      if (status !== null && status >= 200 && status < 300) return socket;
      if (DENIALS.includes(status)) {
        const state = "the proxy wants a user name and a password";
        throw fail("http-proxy-denied", proxy.credentials === null ? { state } : {});
      }
      const state = status === null
        ? "the HTTP proxy's answer is not HTTP"
        : `the HTTP proxy answers with status ${status}`;
      throw fail("http-proxy-refused", { state });
    } catch (thrown) {
      socket.on("error", () => {}); // an error after this has nobody to go to
      socket.destroy();
      if (signal.aborted) throw signal.reason;
      if (thrown instanceof BrokenOff) {
        throw fail("http-proxy-refused", {
          state: "the HTTP proxy closed the connection",
          cause: thrown,
        });
      }
      throw thrown;
    }
  };
}

/** The proxy ended the connection, or said more than an answer. */
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
    head += Buffer.from(bytes).toString("latin1");
    const end = head.indexOf(HEAD_END);
    if (end >= 0 && end + HEAD_END.length === head.length) resolve(head);
    else if (end >= 0) resolve(isSuccess(head) ? "" : head); // an error may have a page after it
    else if (head.length > MAX_HEAD_BYTES) resolve("");
  };
  const onEnd = () => reject(new BrokenOff("The proxy closed the connection"));
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

function isSuccess(head: string): boolean {
  const status = statusOf(head);
  return status !== null && status >= 200 && status < 300;
}

/** @returns `null` if the head is no answer. */
function statusOf(head: string): number | null {
  const [, status] = /^HTTP\/1\.[01] (\d{3})(?: |\r)/.exec(head) ?? [];
  return status === undefined ? null : Number(status);
}

function authority({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
