/**
 * Asking for names the ways programs do: through getaddrinfo, and at a server over UDP or TCP.
 *
 * @module
 */
import dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import {
  decodeMessage,
  encodeQuestion,
  FLAG,
  formatRcode,
  frameMessage,
  FrameSplitter,
  questionOf,
  RR_TYPE,
} from "../../dns/mod.ts";
import type { Outcome } from "../../health/mod.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../wait.ts";
import { decodeIp, type Endpoint, formatIp, parseIp } from "../../ip/mod.ts";

/** Less than a measurement may take, so that every server's silence can be told by itself. */
const ASK_MS = 1_500;
/** A datagram may be lost; then the question is sent once more. */
const RESEND_MS = 500;
const EDNS_BYTES = 1232;

/** Ways to ask for a name. */
export interface Lookups {
  /** Asks as most programs do. */
  readonly system: (name: string, signal: AbortSignal) => Promise<Outcome>;
  /** Asks one server for the IPv4 addresses of a name. */
  readonly server: (
    server: Endpoint,
    name: string,
    transport: "udp" | "tcp",
    signal: AbortSignal,
  ) => Promise<Outcome>;
}

/** By the C library, and over the network. */
export const LOOKUPS: Lookups = { system: askSystem, server: askServer };

/** Asks the C library, as most programs do. */
export function askSystem(name: string, signal: AbortSignal): Promise<Outcome> {
  return within(signal, async (signal) => {
    try {
      const found = await orAborted(lookup(name, { all: true, order: "verbatim" }), signal);
      const addresses = found.map(({ address }) => parseIp(address));
      return { kind: "addresses", addresses };
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return { kind: "negative", code: codeOf(thrown) };
    }
  });
}

/** Asks one server for the IPv4 addresses of a name. */
export function askServer(
  server: Endpoint,
  name: string,
  transport: "udp" | "tcp",
  signal: AbortSignal,
): Promise<Outcome> {
  const id = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
  const question = questionOf(name.toLowerCase(), RR_TYPE.A);
  const bytes = encodeQuestion(question, { id, udpSizeBytes: EDNS_BYTES });
  return within(signal, async (signal) => {
    try {
      const answer = transport === "udp"
        ? await exchangeUdp(server, bytes, signal)
        : await exchangeTcp(server, bytes, signal);
      return readAnswer(answer);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return { kind: "unreachable", reason: `cannot be asked (${codeOf(thrown)})` };
    }
  });
}

async function within(
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await withDeadline(ASK_MS, signal, ask);
  } catch (thrown) {
    if (thrown instanceof DeadlinePassed) return { kind: "silent", afterMs: ASK_MS };
    throw thrown;
  }
}

async function exchangeUdp(
  server: Endpoint,
  question: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const socket = dgram.createSocket(server.address.family === 4 ? "udp4" : "udp6");
  const send = () =>
    socket.send(question, server.port, formatIp(server.address), (error) => {
      if (error !== null) reject(error);
    });
  socket.on("error", reject);
  socket.on("message", (message: Uint8Array) => {
    if (isAnswerTo(message, question)) resolve(message);
  });
  const timer = setTimeout(send, RESEND_MS);
  try {
    send();
    return await orAborted(promise, signal);
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

async function exchangeTcp(
  server: Endpoint,
  question: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const address = { hostname: formatIp(server.address), port: server.port, signal };
  using conn = await Deno.connect(address);
  const splitter = new FrameSplitter();
  const chunk = new Uint8Array(4096);
  await orAborted(conn.write(frameMessage(question)), signal);
  while (true) {
    const count = await orAborted(conn.read(chunk), signal);
    if (count === null) throw new Deno.errors.UnexpectedEof("closed");
    const messages = splitter.push(chunk.subarray(0, count));
    if (messages === null) throw new Deno.errors.InvalidData("no DNS");
    const answer = messages.find((message) => isAnswerTo(message, question));
    if (answer !== undefined) return answer;
  }
}

function isAnswerTo(message: Uint8Array, question: Uint8Array): boolean {
  return message.length >= 12 && message[0] === question[0] && message[1] === question[1] &&
    ((message[2] ?? 0) & 0x80) !== 0;
}

function readAnswer(bytes: Uint8Array): Outcome {
  const message = decodeMessage(bytes);
  if (message === null || (message.flags & FLAG.QR) === 0) {
    return { kind: "unreachable", reason: "answers, but not in DNS" };
  }
  const addresses = message.answers.filter(({ type }) => type === RR_TYPE.A)
    .map(({ rdata }) => decodeIp(rdata)).filter((address) => address !== null);
  if (addresses.length > 0) return { kind: "addresses", addresses };
  const rcode = formatRcode(message.rcode);
  return { kind: "negative", code: message.rcode === 0 ? "NODATA" : rcode };
}

/** The system's own word for an error: `ENOTFOUND`, `ECONNREFUSED`, or the name of Deno's class. */
export function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const code: unknown = Reflect.get(thrown, "code");
  return typeof code === "string" ? code : thrown.name;
}
