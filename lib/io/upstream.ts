/**
 * Asks the resolvers the machine had before us, over UDP and, for what does not fit, TCP.
 *
 * @module
 * @see RFC 5452 section 9, RFC 7766
 */
import {
  type Acceptance,
  acceptAnswer,
  encodeForward,
  frameMessage,
  FrameSplitter,
  type Query,
  RCODE,
} from "../dns/mod.ts";
import { type Endpoint, equalEndpoint, formatEndpoint, formatIp, parseIp } from "../ip/mod.ts";

const UDP_TRY_MS = 2_000;
const TCP_TRY_MS = 3_000;
const MAX_STRAYS = 16;
const CASE_BYTES = 32;

/** What came of asking. */
export type UpstreamResult =
  | { readonly kind: "answer"; readonly bytes: Uint8Array; readonly truncated: boolean }
  /** Nobody answered well; the text says how the last one failed. */
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Asks the upstreams one after the other, until one answers well. SERVFAIL and REFUSED are not the last word while
 * another can be asked.
 *
 * @param transport How the client asked: what is truncated over UDP is asked again over TCP for a TCP client.
 */
export async function askUpstreams(
  query: Query,
  upstreams: readonly Endpoint[],
  transport: "udp" | "tcp",
  signal: AbortSignal,
): Promise<UpstreamResult> {
  let fallback: UpstreamResult = { kind: "failed", reason: "no upstream resolver is known" };
  for (const upstream of upstreams) {
    if (signal.aborted) break;
    const sent = encodeForward(query, {
      id: crypto.getRandomValues(new Uint16Array(1))[0] ?? 0,
      caseBits: crypto.getRandomValues(new Uint8Array(CASE_BYTES)),
    });
    const result = await askOne(query, sent, upstream, transport, signal);
    if (result === null) {
      if (fallback.kind === "failed") {
        fallback = { kind: "failed", reason: `${formatEndpoint(upstream)} did not answer` };
      }
      continue;
    }
    const { bytes, acceptance } = result;
    const answer = { kind: "answer", bytes, truncated: acceptance.truncated } as const;
    if (acceptance.rcode !== RCODE.SERVFAIL && acceptance.rcode !== RCODE.REFUSED) return answer;
    fallback = answer;
  }
  return fallback;
}

interface Accepted {
  readonly bytes: Uint8Array;
  readonly acceptance: Acceptance;
}

async function askOne(
  query: Query,
  sent: Uint8Array,
  upstream: Endpoint,
  transport: "udp" | "tcp",
  signal: AbortSignal,
): Promise<Accepted | null> {
  const overUdp = await askUdp(query, sent, upstream, signal);
  if (overUdp === null || !overUdp.acceptance.truncated || transport === "udp") return overUdp;
  return await askTcp(query, sent, upstream, signal) ?? overUdp;
}

/** A socket of its own for each question: the kernel chooses a random port (RFC 5452 section 9.2). */
async function askUdp(
  query: Query,
  sent: Uint8Array,
  upstream: Endpoint,
  signal: AbortSignal,
): Promise<Accepted | null> {
  const family = upstream.address.family;
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: family === 4 ? "0.0.0.0" : "::",
    port: 0,
  });
  const closing = closeAfter(socket, UDP_TRY_MS, signal);
  try {
    await socket.send(sent, {
      transport: "udp",
      hostname: formatIp(upstream.address),
      port: upstream.port,
    });
    for (let strays = 0; strays < MAX_STRAYS; strays++) {
      const [bytes, from] = await socket.receive();
      if (from.transport !== "udp") continue;
      const source = { address: parseIp(from.hostname), port: from.port };
      const acceptance = equalEndpoint(source, upstream) ? acceptAnswer(bytes, sent, query) : null;
      if (acceptance !== null) return { bytes, acceptance };
    }
    return null;
  } catch {
    return null; // Closed by the deadline, or the network refused.
  } finally {
    closing();
  }
}

async function askTcp(
  query: Query,
  sent: Uint8Array,
  upstream: Endpoint,
  signal: AbortSignal,
): Promise<Accepted | null> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(TCP_TRY_MS)]);
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({
      hostname: formatIp(upstream.address),
      port: upstream.port,
      signal: deadline,
    });
  } catch {
    return null;
  }
  const closing = closeAfter(conn, TCP_TRY_MS, signal);
  try {
    const framed = frameMessage(sent);
    for (let at = 0; at < framed.length;) at += await conn.write(framed.subarray(at));
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
  } catch {
    return null;
  } finally {
    closing();
  }
}

/** Closes a socket when its time is over or the signal aborts. Returns what closes it now, once. */
function closeAfter(
  socket: { close(): void },
  afterMs: number,
  signal: AbortSignal,
): () => void {
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    signal.removeEventListener("abort", close);
    socket.close();
  };
  const timer = setTimeout(close, afterMs);
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  return close;
}
