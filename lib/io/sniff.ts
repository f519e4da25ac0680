/**
 * What answered where TLS failed: one more connection that says hello as TLS does, and looks at the first bytes that
 * come back. It tells nothing but the server's name, and never takes long.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import type { Cause } from "./cause.ts";
import { withDeadline } from "../wait.ts";
import { formatHostPort, type HostPort } from "../ip/mod.ts";
import type { Dialer } from "./tcp.ts";

/** Connecting, and waiting for an answer. */
const SNIFF_MS = 2_000;
/** Who has not answered the hello by now may be waiting for a line. */
const LINE_MS = 700;
const MAX_BYTES = 512;

/** What came back. */
interface Answer {
  readonly bytes: Uint8Array;
  readonly end: "open" | "closed" | "reset";
}

/**
 * Connects once more and looks who is there.
 *
 * @returns `null` if nothing can be said: it speaks TLS, it cannot be reached any more, it is silent.
 */
export async function sniff(
  server: HostPort,
  dial: Dialer,
  signal: AbortSignal | null,
): Promise<Cause | null> {
  try {
    return await withDeadline(SNIFF_MS, signal, async (signal) => {
      const socket = await dial(server, signal);
      return judgeAnswer(await listen(socket, server, signal), server);
    });
  } catch {
    return null;
  }
}

/** Says what the first bytes of an answer to a ClientHello mean. @returns `null` if they are TLS, or none. */
export function judgeAnswer({ bytes, end }: Answer, server: HostPort): Cause | null {
  const where = `what answered on ${formatHostPort(server)}`;
  const text = Buffer.from(bytes).toString("latin1");
  const kind = KINDS.find(([pattern]) => pattern.test(text))?.[1];
  const hint = "Check the port: the cluster's proxy speaks TLS, on 443 unless said otherwise";
  if (kind !== undefined) return { state: `${where} is ${kind}, not TLS`, hint };
  if (isTls(bytes)) return null;
  if (bytes.length > 0) return { state: `${where} does not speak TLS`, hint };
  if (end === "closed") {
    return {
      state: `${where} closed the connection without a word`,
      hint: "Check the port; a firewall or a load balancer with nobody behind it does so as well",
    };
  }
  if (end === "reset") {
    return {
      state: `the connection was reset when TLS began`,
      hint: "Check the port, and whether a firewall on the way resets TLS",
    };
  }
  return null;
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^HTTP\/\d/, "plain HTTP"],
  [/^\s*<(?:!doctype|html)/i, "plain HTTP"],
  [/^SSH-/, "SSH"],
  [/^220[ -].*(?:ftp)/i, "FTP"],
  [/^220[ -]/, "a mail server"],
  [/^RFB \d/, "VNC"],
  [/^-ERR |^\+OK/, "no TLS server"],
];

/** A handshake record, or an alert. */
function isTls(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x16 || bytes[0] === 0x15) && (bytes.length < 2 || bytes[1] === 0x03);
}

/** Says hello, and after a while ends a line; listens until something comes. Closes the connection. */
function listen(socket: net.Socket, server: HostPort, signal: AbortSignal): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let heard = new Uint8Array();
  const done = (end: Answer["end"]) => resolve({ bytes: heard, end });
  const give = () => done("open");
  const line = setTimeout(() => socket.write("\r\n\r\n"), LINE_MS);
  socket.on("data", (bytes: Uint8Array) => {
    heard = new Uint8Array([...heard, ...bytes.subarray(0, MAX_BYTES - heard.length)]);
    if (heard.length >= 8) done("open");
  });
  socket.on("end", () => done("closed"));
  socket.on("close", () => done("closed"));
  socket.on("error", () => done("reset"));
  signal.addEventListener("abort", give, { once: true });
  if (signal.aborted) give();
  socket.resume();
  socket.write(clientHello(server.host));
  return promise.finally(() => {
    clearTimeout(line);
    signal.removeEventListener("abort", give);
    socket.destroy();
  });
}

/**
 * The first message of a TLS client that offers 1.3 and 1.2, without a key share.
 *
 * @see RFC 8446 section 4.1.2
 */
export function clientHello(host: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(host);
  const isName = /[a-z]/i.test(host) && !host.includes(":");
  const body = [
    ...[0x03, 0x03],
    ...crypto.getRandomValues(new Uint8Array(32)),
    0, // no session
    ...sized(2, [0x13, 0x01, 0x13, 0x02, 0xc0, 0x2b, 0xc0, 0x2f]),
    ...sized(1, [0]), // no compression
    ...sized(2, [
      ...(isName ? extension(0, sized(2, [0, ...sized(2, [...name])])) : []),
      ...extension(10, sized(2, [0x00, 0x1d, 0x00, 0x17])), // groups
      ...extension(13, sized(2, [0x04, 0x03, 0x08, 0x04, 0x04, 0x01])), // signatures
      ...extension(43, sized(1, [0x03, 0x04, 0x03, 0x03])), // versions
      ...extension(51, sized(2, [])), // key share: asks for a retry
    ]),
  ];
  return Uint8Array.from([0x16, 0x03, 0x01, ...sized(2, [0x01, ...sized(3, body)])]);
}

function extension(type: number, body: readonly number[]): readonly number[] {
  return [0, type, ...sized(2, body)];
}

/** Bytes with their number in front of them, in so many bytes. */
function sized(width: 1 | 2 | 3, bytes: readonly number[]): readonly number[] {
  const length = bytes.length;
  return [...[length >> 16, (length >> 8) & 0xff, length & 0xff].slice(3 - width), ...bytes];
}
