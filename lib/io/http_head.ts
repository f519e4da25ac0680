/**
 * The head of an HTTP answer, read off a socket that is used for something else afterwards, or for nothing.
 *
 * @module
 * @see RFC 9112 section 2.1
 */
import { Buffer } from "node:buffer";
import type net from "node:net";

const HEAD_END = "\r\n\r\n";

/** The answer's head never came whole. */
export class HeadCutOff extends Error {
  override readonly name = "HeadCutOff";
  /** Whether the other end closed the connection, or went on for too long. */
  readonly why: "closed" | "too-long";
  /** What there was of it, byte by byte. */
  readonly head: string;

  constructor(why: HeadCutOff["why"], head: string) {
    super(why === "closed" ? "The head came to no end" : "The head is too long");
    this.why = why;
    this.head = head;
  }
}

/**
 * Reads an answer's head, and pauses the socket.
 *
 * @returns The head with its empty line, byte by byte, and whether something came behind it, which is lost.
 * @throws {HeadCutOff}; the signal's reason
 */
export async function readHead(
  socket: net.Socket,
  maxBytes: number,
  signal: AbortSignal,
): Promise<{ readonly head: string; readonly hasMore: boolean }> {
  const { promise, resolve, reject } = Promise.withResolvers<
    Awaited<ReturnType<typeof readHead>>
  >();
  let heard = "";
  const onData = (bytes: Uint8Array) => {
    const before = Math.max(0, heard.length - HEAD_END.length);
    heard += Buffer.from(bytes).toString("latin1");
    const end = heard.indexOf(HEAD_END, before);
    const length = end + HEAD_END.length;
    if (end >= 0) resolve({ head: heard.slice(0, length), hasMore: heard.length > length });
    else if (heard.length > maxBytes) reject(new HeadCutOff("too-long", heard));
  };
  const onEnd = () => reject(new HeadCutOff("closed", heard));
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

/** The parts of an answer's head. */
export interface HttpHead {
  readonly status: number;
  /** The lines after the first. */
  readonly fields: string;
}

/** @returns `null` if the head is no answer. */
export function parseHead(head: string): HttpHead | null {
  const [line, status] = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n/.exec(head) ?? [];
  if (line === undefined || status === undefined) return null;
  return { status: Number(status), fields: head.slice(line.length) };
}
