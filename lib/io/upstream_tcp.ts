/**
 * One question to an upstream resolver over TCP.
 *
 * @module
 * @see RFC 7766
 */
import {
  type Acceptance,
  acceptAnswer,
  frameMessage,
  FrameSplitter,
  type Query,
} from "../dns/mod.ts";
import type { PortTarget } from "./upstream_port.ts";

/** An answer that belongs to the question. */
export interface TcpAnswer {
  readonly bytes: Uint8Array;
  readonly acceptance: Acceptance;
}

/**
 * Asks over a connection of its own. Both are over when the signal aborts.
 *
 * @param sent The question as `encodeForward` made it.
 * @returns `null` if no answer to it came.
 */
export async function askOverTcp(
  query: Query,
  sent: Uint8Array,
  target: PortTarget,
  signal: AbortSignal,
): Promise<TcpAnswer | null> {
  const { hostname, endpoint } = target;
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname, port: endpoint.port, signal });
  } catch {
    return null;
  }
  const close = once(() => conn.close());
  signal.addEventListener("abort", close);
  try {
    if (signal.aborted) return null;
    const framed = frameMessage(sent);
    for (let at = 0; at < framed.length;) at += await conn.write(framed.subarray(at));
    return await readAnswer(conn, query, sent);
  } catch {
    return null; // Reset by the upstream, or closed because the time is over.
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

async function readAnswer(
  conn: Deno.TcpConn,
  query: Query,
  sent: Uint8Array,
): Promise<TcpAnswer | null> {
  const splitter = new FrameSplitter();
  const buffer = new Uint8Array(16_384);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    const messages = splitter.push(buffer.subarray(0, count));
    if (messages === null) return null;
    for (const bytes of messages) {
      const acceptance = acceptAnswer(bytes, sent, query);
      if (acceptance !== null) return { bytes, acceptance };
    }
  }
  return null;
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
