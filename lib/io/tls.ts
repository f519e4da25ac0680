/**
 * TLS sessions: dialled with our own trust, accepted with the peer's certificate asked for. Every certificate is
 * judged by our own code as well, so that a refusal says what is wrong with it.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { equalSecret } from "./keys.ts";

/** A certificate of ours and its key. */
export interface TlsIdentity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Settings that several sessions share; making them reads keys and certificates, which takes time. */
export type TlsContext = tls.SecureContext;

/** Prepares sessions as a client or a server. */
export function createTlsContext(
  options: {
    readonly identity: TlsIdentity | null;
    readonly authorityPems: readonly string[];
    /** The oldest that is spoken; TLS 1.3 if not given. */
    readonly minVersion?: "TLSv1.2";
  },
): TlsContext {
  return tls.createSecureContext({
    ca: [...options.authorityPems],
    minVersion: options.minVersion ?? "TLSv1.3",
    ...(options.identity === null
      ? {}
      : { cert: options.identity.certificatePem, key: options.identity.privateKeyPem }),
  });
}

/** A finished handshake. */
export interface TlsSession {
  readonly socket: tls.TLSSocket;
  /** DER: the peer's own, then its issuers as far as it sent them or they are known; empty if it showed none. */
  readonly peerChain: readonly Uint8Array[];
  /** Whether the chain ends in what the context trusts, and names the server. */
  readonly trusted: boolean;
  /** The words of the TLS library for why it is not trusted. */
  readonly distrust: string | null;
}

/**
 * Does a client's handshake over an open connection. The session is given back whether the server is trusted or
 * not: nothing may be sent before the caller has looked.
 *
 * @param socket Closed when the handshake fails; owned by the session otherwise.
 */
export function startTlsClient(
  socket: net.Socket,
  options: {
    readonly context: TlsContext;
    /** What the server's certificate must name; an address is not told to the server. */
    readonly serverName: string;
    readonly protocols: readonly string[];
  },
  signal: AbortSignal,
): Promise<TlsSession> {
  const session = tls.connect({
    socket,
    secureContext: options.context,
    host: options.serverName,
    ...(net.isIP(options.serverName) === 0 ? { servername: options.serverName } : {}),
    ALPNProtocols: [...options.protocols],
    rejectUnauthorized: false, // judged by the caller
  });
  BELOW.set(session, socket);
  return finishHandshake(session, socket, "secureConnect", signal);
}

/** Does a server's handshake over an open connection; the client's certificate is asked for and judged by the caller. */
export function startTlsServer(
  socket: net.Socket | Duplex,
  options: { readonly context: TlsContext; readonly protocols: readonly string[] },
  signal: AbortSignal,
): Promise<TlsSession> {
  const session = new tls.TLSSocket(socket as net.Socket, {
    isServer: true,
    secureContext: options.context,
    ALPNProtocols: [...options.protocols],
    requestCert: true,
    rejectUnauthorized: false, // judged by the caller
  });
  BELOW.set(session, socket);
  return finishHandshake(session, socket, "secure", signal);
}

/** What each session runs on. */
const BELOW = new WeakMap<tls.TLSSocket, net.Socket | Duplex>();

/** The session right above the TCP connection: the one that was given, or that of the HTTP proxy below it. */
export function lowestSession(session: tls.TLSSocket): tls.TLSSocket {
  const below = BELOW.get(session);
  return below instanceof tls.TLSSocket ? lowestSession(below) : session;
}

async function finishHandshake(
  session: tls.TLSSocket,
  socket: net.Socket | Duplex,
  done: "secureConnect" | "secure",
  signal: AbortSignal,
): Promise<TlsSession> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  const closed = () => reject(new Error("The connection was closed during the handshake"));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  session.once(done, resolve);
  session.once("error", reject);
  session.once("close", closed);
  socket.on("error", reject); // stays: what comes later shows on the session as well
  try {
    await promise;
    session.off("close", closed); // the error listener stays until somebody else listens: reject does nothing twice
    return {
      socket: session,
      peerChain: peerChain(session),
      trusted: session.authorized,
      distrust: session.authorized ? null : String(session.authorizationError ?? "not verified"),
    };
  } catch (thrown) {
    session.on("error", () => {});
    session.destroy();
    socket.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

const MAX_CHAIN = 8;

/** What `getPeerCertificate(true)` gives: each certificate with its issuer. */
interface LinkedCertificate {
  readonly raw?: Buffer;
  readonly issuerCertificate?: LinkedCertificate;
}

function peerChain(session: tls.TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let link: LinkedCertificate | undefined = session.getPeerCertificate(true);
  while (link?.raw !== undefined && chain.length < MAX_CHAIN) {
    const raw = new Uint8Array(link.raw);
    const last = chain.at(-1);
    if (last !== undefined && equalSecret(last, raw)) break; // Deno gives the last one a copy of itself
    chain.push(raw);
    link = link.issuerCertificate;
  }
  return chain;
}
