/**
 * The way to a cluster's web API: TCP, TLS, and the judgement whether it is the cluster's. What fails says at which of
 * the three, and why.
 *
 * @module
 */
import type tls from "node:tls";
import { VnetError } from "../error.ts";
import { refusalError } from "../refusal/mod.ts";
import { alertCause, type Cause, connectCause, handshakeCause } from "./cause.ts";
import { DeadlinePassed, withDeadline } from "../wait.ts";
import type { HostPort } from "../ip/mod.ts";
import { sniff } from "./sniff.ts";
import { type Dialer, dialTcp } from "./tcp.ts";
import { startTlsClient, type TlsIdentity, type TlsSession } from "./tls.ts";
import { explainDates, issuerOf } from "./x509/distrust.ts";
import {
  judgeServer,
  type MoreAuthorities,
  type TrustContext,
  trustContext,
} from "./x509/trust.ts";
import {
  type Certificate,
  type CertificateVerdict,
  parseCertificate,
  verifyPinnedServer,
  verifyProxyServer,
} from "./x509/verify.ts";

/** Whom a client takes for the cluster. */
export type ServerTrust =
  /** Any server of this name that a public authority vouches for, or one of `more`. */
  | { readonly kind: "public"; readonly more?: MoreAuthorities }
  /**
   * A server that one of the cluster's authorities vouches for, under any name if it is a proxy; or, with `orPublic`,
   * one of this name that they, a public one or one of `more` vouches for.
   */
  | {
    readonly kind: "authorities";
    readonly pems: readonly string[];
    readonly orPublic?: boolean;
    readonly more?: MoreAuthorities;
  }
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
const PIN_HINT =
  "The cluster is known by a pin: compare it with `vnet ctl status` and log in again with that one; if they are equal, something is between you and it";

/** Making a context reads a key and many certificates: once for each settings. */
const contexts = new WeakMap<ServerSettings, Promise<TrustContext>>();

/**
 * Opens a TLS connection on which nothing has been sent, to a server that is the one we want.
 *
 * @throws {AuthError} `ca-pin-mismatch`, `proxy-untrusted`.
 * @throws {NetworkError} `proxy-unreachable`, `proxy-timeout`, `proxy-closed`, and what `dial` throws.
 */
export async function dialServer(
  settings: ServerSettings,
  protocols: readonly string[],
  signal: AbortSignal | null = null,
): Promise<tls.TLSSocket> {
  const { server, dial = dialTcp } = settings;
  const act = `Cannot reach "${server.host}:${server.port}"`;
  let isConnected = false;
  try {
    return await withDeadline(CONNECT_MS, signal, async (signal) => {
      const socket = await dial(server, signal).catch((cause) => {
        if (cause instanceof VnetError || signal.aborted) throw cause;
        throw refusalError("proxy-unreachable", act, { ...connectCause(cause, server), cause });
      });
      isConnected = true;
      const trust = await contextOf(settings);
      const session = await startTlsClient(
        socket,
        { context: trust.context, serverName: server.host, protocols },
        signal,
      );
      judge(session, { settings, trust, act });
      return session.socket;
    });
  } catch (thrown) {
    if (thrown instanceof VnetError) throw thrown;
    if (signal?.aborted) throw signal.reason;
    if (!isConnected) throw refusalError("proxy-timeout", act, silence(dial));
    const cause = alertCause(thrown) ?? await sniff(server, dial, signal) ?? handshakeCause(thrown);
    if (signal?.aborted) throw signal.reason;
    if (thrown instanceof DeadlinePassed) {
      const state = `connected, but no answer to TLS within ${CONNECT_MS / 1000} s`;
      throw refusalError("proxy-timeout", act, cause ?? { state });
    }
    const state = "the connection was closed during the TLS handshake";
    throw refusalError("proxy-closed", act, { ...(cause ?? { state }), cause: thrown });
  }
}

/** What it means that nobody opened a connection in time. */
function silence({ via }: Dialer): Cause {
  const within = `within ${CONNECT_MS / 1000} s`;
  return via === undefined
    ? {
      state: `no answer to the connection ${within}`,
      hint: "Check the address; a firewall that drops packets looks like this",
    }
    : {
      state: `the HTTP proxy "${via}" opened no connection ${within}`,
      hint: "Check HTTPS_PROXY, and whether the HTTP proxy reaches the cluster's proxy",
    };
}

function contextOf(settings: ServerSettings): Promise<TrustContext> {
  let context = contexts.get(settings);
  if (context === undefined) {
    const { trust, identity } = settings;
    const isPublic = trust.kind === "public" ||
      (trust.kind === "authorities" && trust.orPublic === true);
    context = trustContext({
      builtIn: isPublic,
      pems: trust.kind === "authorities" ? trust.pems : [],
      more: isPublic ? trust.more ?? null : null,
    }, { identity });
    contexts.set(settings, context);
  }
  return context;
}

function judge(
  session: TlsSession,
  means: {
    readonly settings: ServerSettings;
    readonly trust: TrustContext;
    readonly act: string;
  },
): void {
  const distrust = distrustOf(session, means);
  if (distrust === null) return;
  session.socket.destroy();
  throw refusalError(distrust.code, means.act, distrust);
}

/** @returns `null` for a server that is trusted. */
function distrustOf(
  session: TlsSession,
  { settings, trust: context }: { readonly settings: ServerSettings; readonly trust: TrustContext },
): Cause & { readonly code: "proxy-untrusted" | "ca-pin-mismatch" } | null {
  const { server, trust, nowMs = Date.now } = settings;
  const against = { host: server.host, nowMs: nowMs() };
  if (trust.kind === "pins") {
    const verdict = verifyPinnedServer(session.peerChain, { ...against, pins: trust.pins });
    return verdict.kind === "good"
      ? null
      : explainPinned(verdict, session.peerChain, against.nowMs);
  }
  const isOwnOnly = trust.kind === "authorities" && trust.orPublic !== true;
  if (isOwnOnly) {
    const authorities = trust.pems.map((pem) => parseCertificate(pem)).filter((one) =>
      one !== null
    );
    const verdict = verifyProxyServer(session.peerChain, { ...against, authorities });
    if (verdict.kind === "good") return null;
  }
  // By the clock that TLS goes by
  const distrust = judgeServer(session, context, {
    host: server.host,
    whose: "the proxy's",
    nowMs: Date.now(),
  });
  if (distrust === null) return null;
  const { kind, state, hint } = distrust;
  return { code: "proxy-untrusted", state, hint: isOwnOnly && kind === "issuer" ? PIN_HINT : hint };
}

function explainPinned(
  verdict: Extract<CertificateVerdict, { readonly kind: "bad" }>,
  chain: readonly Uint8Array[],
  nowMs: number,
): Cause & { readonly code: "proxy-untrusted" | "ca-pin-mismatch" } {
  const certificates: Certificate[] = chain.map((der) => parseCertificate(der))
    .filter((one) => one !== null);
  const [leaf] = certificates;
  switch (verdict.code) {
    case "certificate-malformed":
      return { code: "proxy-untrusted", state: "the proxy's certificate cannot be read" };
    case "certificate-expired":
    case "certificate-not-yet-valid":
      return {
        code: "proxy-untrusted",
        ...explainDates(certificates, nowMs, "the proxy's") ?? { state: verdict.message },
      };
    case "certificate-foreign": {
      const issuer = leaf === undefined ? "" : `; its certificate was issued by ${issuerOf(leaf)}`;
      const state = `no certificate in the proxy's chain matches the CA pin${issuer}`;
      return { code: "ca-pin-mismatch", state };
    }
    default:
      return verdict.code satisfies never;
  }
}
