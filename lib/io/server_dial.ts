/**
 * The way to a cluster's web API: TCP, TLS, and the judgement whether it is the cluster's.
 *
 * @module
 */
import tls from "node:tls";
import { VnetError } from "../error.ts";
import { refusalError } from "../refusal/mod.ts";
import { DeadlinePassed, withDeadline } from "../wait.ts";
import type { HostPort } from "../ip/mod.ts";
import { type Dialer, dialTcp } from "./tcp.ts";
import {
  createTlsContext,
  startTlsClient,
  type TlsContext,
  type TlsIdentity,
  type TlsSession,
} from "./tls.ts";
import { verifyPinnedServer } from "./x509/verify.ts";

/** Whom a client takes for the cluster. */
export type ServerTrust =
  /** Any server that a public authority vouches for. */
  | { readonly kind: "public" }
  /** A server that one of these authorities vouches for, or, if `orPublic`, a public one. */
  | { readonly kind: "authorities"; readonly pems: readonly string[]; readonly orPublic?: boolean }
  /** A server whose chain holds an authority with one of these pins, `sha256:…`. */
  | { readonly kind: "pins"; readonly pins: readonly string[] };

/** A server, and how it is known. */
export interface ServerSettings {
  readonly server: HostPort;
  readonly trust: ServerTrust;
  /** Shown to the server if it asks; `null` for requests before login. */
  readonly identity: TlsIdentity | null;
  readonly dial?: Dialer;
  readonly nowMs?: () => number;
}

const CONNECT_MS = 10_000;

/** Making a context reads a key and many certificates: once for each settings. */
const contexts = new WeakMap<ServerSettings, TlsContext>();

/**
 * Opens a TLS connection on which nothing has been sent, to a server that is the one we want.
 *
 * @throws {AuthError} `ca-pin-mismatch`, `proxy-untrusted`.
 * @throws {NetworkError} `proxy-unreachable`, `proxy-timeout`, `proxy-closed`.
 */
export async function dialServer(
  settings: ServerSettings,
  protocols: readonly string[],
  signal: AbortSignal | null = null,
): Promise<tls.TLSSocket> {
  const { server, dial = dialTcp } = settings;
  const act = `Cannot reach "${server.host}:${server.port}"`;
  try {
    return await withDeadline(CONNECT_MS, signal, async (signal) => {
      const socket = await dial(server, signal).catch((cause) => {
        if (cause instanceof VnetError || signal.aborted) throw cause;
        throw refusalError("proxy-unreachable", act, { cause });
      });
      const context = contextOf(settings);
      const session = await startTlsClient(
        socket,
        { context, serverName: server.host, protocols },
        signal,
      );
      judge(session, settings, act);
      return session.socket;
    });
  } catch (thrown) {
    if (thrown instanceof VnetError) throw thrown;
    if (signal?.aborted) throw signal.reason;
    if (thrown instanceof DeadlinePassed) throw refusalError("proxy-timeout", act);
    throw refusalError("proxy-closed", act, { cause: thrown });
  }
}

function contextOf(settings: ServerSettings): TlsContext {
  let context = contexts.get(settings);
  if (context === undefined) {
    context = createTlsContext({
      identity: settings.identity,
      authorityPems: authorityPems(settings.trust),
    });
    contexts.set(settings, context);
  }
  return context;
}

function judge(session: TlsSession, settings: ServerSettings, act: string): void {
  const { server, trust, nowMs = Date.now } = settings;
  if (trust.kind !== "pins") {
    if (session.trusted) return;
    session.socket.destroy();
    const state = `the proxy's certificate is not trusted (${session.distrust})`;
    throw refusalError("proxy-untrusted", act, { state });
  }
  const verdict = verifyPinnedServer(session.peerChain, {
    pins: trust.pins,
    host: server.host,
    nowMs: nowMs(),
  });
  if (verdict.kind === "good") return;
  session.socket.destroy();
  const code = verdict.code === "certificate-foreign" ? "ca-pin-mismatch" : "proxy-untrusted";
  throw refusalError(code, act, { state: verdict.message });
}

function authorityPems(trust: ServerTrust): readonly string[] {
  switch (trust.kind) {
    case "public":
      return tls.rootCertificates;
    case "authorities":
      return trust.orPublic ? [...tls.rootCertificates, ...trust.pems] : trust.pems;
    case "pins":
      return []; // judged by our own code alone
  }
}
