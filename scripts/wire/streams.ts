/**
 * What must hold for everything that reads a stream of bytes: nothing is thrown, and the verdict does not depend on
 * the pieces in which they come.
 *
 * @module
 */
import { parseIp } from "../../lib/ip/mod.ts";
import { decodeHeaderBlock } from "../../lib/tunnel/hpack.ts";
import {
  Classifier,
  CONNECT_HEAD_MAX_BYTES,
  CONTROL_MAX_PAYLOAD_BYTES,
  decodeClientHello,
  decodeProxyHeader,
  FIRST_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FRAME_TYPES,
  FrameDecoder,
  type FrameType,
  HELD_MAX_BYTES,
  HostGuard,
  type HostNames,
  PROXY_HEADER_MAX_BYTES,
  readConnect,
  readSocksGreeting,
  readSocksRequest,
} from "../../lib/tunnel/mod.ts";
import type { Random } from "../dns/random.ts";
import { join } from "../fuzz/bend.ts";
import { must } from "./must.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Reads whole bytes, and in pieces. @returns Whether they were understood. @throws {Error} What does not hold. */
export type Check = (bytes: Bytes, random: Random) => boolean;

export const checkFirstBytes: Check = (bytes, random) => {
  const whole = new Classifier();
  const verdict = whole.push(bytes);
  must(whole.received.length <= bytes.length, "it keeps more than it was given");
  must(
    verdict.kind !== "more" || bytes.length < FIRST_BYTES_MAX,
    "it waits for more than it may hold",
  );
  const cut = new Classifier();
  let last: ReturnType<Classifier["push"]> = { kind: "more" };
  for (const piece of pieces(bytes, random)) last = cut.push(piece);
  must(equalJson(last, verdict), "the verdict is another one in pieces");
  const isHello = verdict.kind === "app" || verdict.kind === "web";
  const hello = handshakeOf(bytes);
  if (isHello) {
    must(hello !== null && decodeClientHello(hello) !== null, "it is no ClientHello in records");
  }
  return verdict.kind !== "more" && verdict.kind !== "bad";
};

/** The body of the first handshake message, put together from its records by RFC 8446 section 5.1. */
function handshakeOf(bytes: Bytes): Bytes | null {
  let message = new Uint8Array(0);
  for (let at = 0; at + 5 <= bytes.length;) {
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
    if (bytes[at] !== 22 || bytes[at + 1] !== 3 || length === 0) return null;
    message = join(message, bytes.subarray(at + 5, at + 5 + length));
    const end = 4 + ((message[1] ?? 0) << 16 | (message[2] ?? 0) << 8 | (message[3] ?? 0));
    if (message.length >= Math.max(end, 4)) return message[0] === 1 ? message.slice(4, end) : null;
    at += 5 + length;
  }
  return null;
}

export const checkFrames: Check = (bytes, random) => {
  const want = framesOf(bytes);
  const decoder = new FrameDecoder();
  const found: Found[] = [];
  let isBroken = false;
  for (const piece of pieces(bytes, random)) {
    decoder.feed(piece.slice()); // it may write into what it is fed
    for (;;) {
      const frame = decoder.next();
      if (frame === null) break;
      isBroken ||= frame === "broken";
      if (frame === "broken") break;
      add(found, frame.type, frame.payload.toHex());
    }
  }
  must(isBroken === want.isBroken, "it is not broken where a frame is");
  must(equalJson(found, want.frames), "it found other frames");
  must(isBroken || decoder.atBoundary === want.atBoundary, "it is between frames, or is not");
  return want.frames.length > 0;
};

interface Found {
  readonly type: FrameType;
  payload: string;
}

/** The frames by the layout alone. Of `data`, what there is of it counts. */
function framesOf(
  bytes: Bytes,
): { readonly frames: Found[]; readonly isBroken: boolean; readonly atBoundary: boolean } {
  const frames: Found[] = [];
  const types = new Map(Object.entries(FRAME_TYPES).map(([name, number]) => [number, name]));
  let at = 0;
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const type = types.get(bytes[at]! as never) as FrameType | undefined;
    const length = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const most = { data: 0xffff, fin: 0, ping: 0, pong: 0 }[type as string] ??
      CONTROL_MAX_PAYLOAD_BYTES;
    if (type === undefined || length > most || (type === "data" && length === 0)) {
      return { frames, isBroken: true, atBoundary: false };
    }
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length);
    const isWhole = payload.length === length;
    if (type === "data" ? payload.length > 0 : isWhole) add(frames, type, payload.toHex());
    if (!isWhole) return { frames, isBroken: false, atBoundary: false };
    at += FRAME_HEADER_BYTES + length;
  }
  return { frames, isBroken: false, atBoundary: at === bytes.length };
}

/** Neighbouring pieces of data are put together: their cuts mean nothing. */
function add(frames: Found[], type: FrameType, payload: string): void {
  const last = frames.at(-1);
  if (type === "data" && last?.type === "data") last.payload += payload;
  else frames.push({ type, payload });
}

export const checkProxyHeader: Check = (bytes, random) => {
  const verdict = decodeProxyHeader(bytes);
  must(
    verdict.kind !== "more" || bytes.length < PROXY_HEADER_MAX_BYTES,
    "it waits for more than it may hold",
  );
  if (verdict.kind === "header") {
    const view = new DataView(bytes.buffer);
    const isTold = bytes[12] === 0x21 && bytes[13] !== 0;
    const at = bytes[13] === 0x11 ? 16 + 8 : 16 + 32;
    must(verdict.bytes === 16 + view.getUint16(14), "it is not as long as it says");
    must(verdict.bytes <= bytes.length, "it is longer than what came");
    must((verdict.source !== null) === isTold, "it tells of a client, or does not");
    if (verdict.source !== null) {
      must(verdict.bytes >= at + 4, "its addresses are not in it");
      must(verdict.source.port === view.getUint16(at), "it has another port");
    }
  }
  checkPrefixes(decodeProxyHeader, bytes, random, verdict);
  return verdict.kind === "header";
};

export const checkLocalProxy: Check = (bytes, random) => {
  const connect = readConnect(bytes);
  must(
    connect.kind !== "more" || bytes.length < CONNECT_HEAD_MAX_BYTES,
    "it waits for more than it may hold",
  );
  checkPrefixes(readConnect, bytes, random, connect);
  const greeting = readSocksGreeting(bytes);
  checkPrefixes(readSocksGreeting, bytes, random, greeting);
  const request = readSocksRequest(bytes);
  checkPrefixes(readSocksRequest, bytes, random, request);
  for (const read of [connect, greeting, request]) {
    if ("length" in read) must(read.length <= bytes.length, "it took more than what came");
  }
  if (request.kind === "connect") must(request.host.length > 0, "it goes nowhere");
  return connect.kind === "connect" || request.kind === "connect" || greeting.kind === "greeting";
};

/** What was final for the first bytes must be the same for all of them. */
function checkPrefixes<T extends { readonly kind: string }>(
  read: (bytes: Bytes) => T,
  bytes: Bytes,
  random: Random,
  verdict: T,
): void {
  const early = read(bytes.subarray(0, random.below(bytes.length + 1)));
  must(
    early.kind === "more" || equalJson(early, verdict),
    "what was final changes with more bytes",
  );
}

const HOST = "web.vnet.example.com";
const NAMES: HostNames = {
  names: new Set([HOST]),
  address: parseIp("100.100.3.4"),
};

export const checkHttp: Check = (bytes, random) => {
  const whole = feed([bytes]);
  const cut = feed(pieces(bytes, random));
  must(cut.end === whole.end, `the verdict is ${cut.end} in pieces, and ${whole.end} at once`);
  // Requests before one that is refused go on if they came before it.
  const isSame = whole.end === "pass" ? cut.passed === whole.passed : true;
  must(isSame && bytes.toHex().startsWith(cut.passed), "other bytes go on in pieces");
  const foreign = foreignHostIn(bytes);
  must(foreign === null || whole.end === `refuse ${foreign}`, `it lets ${foreign} through`);
  return whole.end !== "pass";
};

const HEAD =
  /^(?:\r\n)*([A-Z]+) (\/[!-~\x80-\xff]*) HTTP\/1\.1\r\n((?:[A-Za-z-]+: [!-~]*\r\n)*)\r\n/;

/** The first foreign host among requests that nobody can read in two ways; `null` if there is none up to there. */
function foreignHostIn(bytes: Bytes): string | null {
  let text = new TextDecoder("latin1").decode(bytes);
  for (let count = 0;; count++) {
    const [head, method, , fields = ""] = HEAD.exec(text) ?? [];
    if (head === undefined || (count === 0 && head.startsWith("\r"))) return null;
    const of = (name: string) =>
      [...fields.matchAll(/^([A-Za-z-]+): (.*)\r$/gm)]
        .filter(([, one]) => one?.toLowerCase() === name).map(([, , value = ""]) => value);
    const [host, ...more] = of("host");
    const lengths = of("content-length");
    const isUnclear = method === "CONNECT" || more.length > 0 || lengths.length > 1 ||
      of("transfer-encoding").length > 0 || of("upgrade").length > 0 ||
      !/^[0-9]{0,6}$/.test(lengths[0] ?? "") || lengths[0] === "";
    if (host === undefined || !/^[a-z0-9.-]+$/.test(host)) return null;
    if (host.replace(/\.$/, "") !== HOST && !/^[0-9.]+$/.test(host)) return host;
    if (isUnclear) return null;
    text = text.slice(head.length + Number(lengths[0] ?? 0));
  }
}

/** Guards a program that sends these pieces and ends. */
function feed(
  sent: readonly Uint8Array[],
): { readonly passed: string; readonly end: string } {
  const guard = new HostGuard(NAMES);
  let passed = "";
  let held = new Uint8Array(0);
  let freeBytes = 0;
  for (const [index, piece] of sent.entries()) {
    passed += piece.subarray(0, freeBytes).toHex();
    const seen = piece.subarray(freeBytes);
    freeBytes = Math.max(freeBytes - piece.length, 0);
    if (seen.length === 0) continue;
    held = Uint8Array.from([...held, ...seen]);
    const verdict = guard.judge(held);
    if (verdict.kind === "refuse") return { passed, end: `refuse ${verdict.host}` };
    if (verdict.kind === "pass") {
      const rest = sent.slice(index + 1).map((other) => other.toHex()).join("");
      return { passed: passed + held.toHex() + rest, end: "pass" };
    }
    must(verdict.readyBytes <= held.length, "more goes on than there is");
    passed += held.subarray(0, verdict.readyBytes).toHex();
    held = held.slice(verdict.readyBytes);
    freeBytes = verdict.freeBytes;
    must(freeBytes === 0 || held.length === 0, "what comes may go on before what is held");
    must(held.length <= HELD_MAX_BYTES + piece.length, "it holds too much");
  }
  const last = guard.judgeLast(held);
  if (last.kind === "refuse") return { passed, end: `refuse ${last.host}` };
  return { passed: passed + held.toHex(), end: last.kind };
}

export const checkHeaderBlock: Check = (bytes) => {
  const fields = decodeHeaderBlock(bytes);
  must((fields?.length ?? 0) <= bytes.length, "it has more fields than bytes");
  return fields !== null;
};

function pieces(bytes: Bytes, random: Random): readonly Bytes[] {
  const cut: Bytes[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(random.oneIn(2) ? 8 : bytes.length);
    cut.push(bytes.subarray(at, at + size));
    at += size;
  }
  return cut;
}

function equalJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one, textOf) === JSON.stringify(other, textOf);
}

function textOf(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}
