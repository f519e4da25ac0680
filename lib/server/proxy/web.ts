/**
 * The web API: TLS is ended here, in this process, on the connections that the proxy hands over, so that a request
 * is known by the address of the client it comes from. It listens nowhere.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import {
  ConnStream,
  createTlsContext,
  startTlsServer,
  type TlsContext,
  type TlsIdentity,
} from "../../io/mod.ts";
import { withDeadline } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import { CONTROL_MESSAGE_MAX_BYTES } from "../../wire/mod.ts";
import type { Peer } from "../auth/mod.ts";

const log = getLogger("server", "proxy");

const REQUEST_MS = 30_000;
const IDLE_MS = 75_000;
/** A connection may be silent this long: more than a long poll takes. */
const SILENT_MS = 150_000;
const MAX_HEADER_BYTES = 16_384;
const AGENT_PATH = "/v1/agent";
/** A body at most; the routes have smaller limits of their own. */
const HAS_BODY = new Set(["POST", "PUT", "PATCH", "DELETE"]);

interface WebOptions {
  readonly identity: TlsIdentity;
  /** How long a client may take for its handshake, and for the head of a request. */
  readonly patienceMs: number;
  readonly fetch: (request: Request, peer: Peer) => Promise<Response>;
  /**
   * Decides on a control channel.
   *
   * @returns What to do with the open channel, or the answer that refuses it.
   */
  readonly upgrade: (peer: Peer) => Promise<((socket: WebSocket) => void) | Response>;
}

/** Whoever is at the other end of a connection. */
interface WebClient {
  readonly address: string;
  /** They hold the key of this certificate, DER. */
  readonly onCertificate: (certificate: Uint8Array) => void;
  /** They did not finish the handshake. */
  readonly onFailed: () => void;
}

/** Serves HTTP to the proxy's web connections. */
export class WebServer {
  readonly #options: WebOptions;
  readonly #server: http.Server;
  readonly #sockets: WebSocketServer;
  readonly #streams = new Set<ConnStream>();
  readonly #peers = new WeakMap<object, Peer>();
  readonly #closing = new AbortController();
  #context: TlsContext;

  constructor(options: WebOptions) {
    this.#options = options;
    this.#context = contextOf(options.identity);
    this.#server = http.createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: options.patienceMs,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: Math.ceil(options.patienceMs / 2),
    }, (request, response) => {
      this.#answer(request, response).catch((error) => {
        log.error("Cannot answer a request", { error: String(error) });
        response.destroy();
      });
    });
    // Node keeps no connection for a second request, and looks for no late one, on a server that does not listen
    Object.defineProperty(this.#server, "listening", { value: true });
    this.#server.emit("listening");
    this.#server.on("clientError", (_error, socket) => socket.destroy());
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: CONTROL_MESSAGE_MAX_BYTES });
    this.#server.on("upgrade", (request: IncomingMessage, socket: TLSSocket, head: Buffer) => {
      socket.on("error", () => socket.destroy());
      this.#upgrade(request, socket, head).catch(() => socket.destroy());
    });
  }

  /** Uses another certificate from the next handshake on. */
  setIdentity(identity: TlsIdentity): void {
    this.#context = contextOf(identity);
  }

  /**
   * Serves a connection until it is closed.
   *
   * @param conn Closed at the end.
   * @param firstBytes What was read from it to find out what it is.
   */
  async serve(conn: Deno.Conn, firstBytes: Uint8Array, client: WebClient): Promise<void> {
    const { address } = client;
    const stream = new ConnStream(conn, firstBytes);
    const closed = Promise.withResolvers<void>();
    stream.on("error", () => {}); // a client that went away
    stream.once("close", closed.resolve);
    stream.endWhenIdle(SILENT_MS);
    this.#streams.add(stream);
    try {
      const { socket, peerChain: [certificate = null] } = await withDeadline(
        this.#options.patienceMs,
        this.#closing.signal,
        (signal) =>
          startTlsServer(stream, { context: this.#context, protocols: ["http/1.1"] }, signal),
      ).catch((thrown) => {
        client.onFailed();
        throw thrown;
      });
      if (certificate !== null) client.onCertificate(certificate);
      socket.once("close", () => stream.destroy());
      this.#peers.set(socket, { address, certificate });
      this.#server.emit("connection", socket);
      await closed.promise;
    } finally {
      stream.destroy();
      this.#streams.delete(stream);
    }
  }

  close(): void {
    this.#closing.abort(new Error("The proxy is shutting down"));
    for (const client of this.#sockets.clients) client.terminate();
    this.#server.close();
    for (const stream of this.#streams) stream.destroy();
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const peer = this.#peers.get(incoming.socket);
    if (peer === undefined) return void outgoing.destroy();
    const gone = new AbortController();
    outgoing.on("close", () => gone.abort());
    const request = toRequest(incoming, gone.signal);
    const response = request === null
      ? new Response(null, { status: 400 })
      : await this.#options.fetch(request, peer);
    outgoing.statusCode = response.status;
    response.headers.forEach((value, name) => outgoing.setHeader(name, value));
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status !== 304 && response.status !== 204) {
      outgoing.setHeader("content-length", body.length);
    }
    outgoing.end(incoming.method === "HEAD" ? undefined : body);
  }

  async #upgrade(incoming: IncomingMessage, socket: TLSSocket, head: Buffer): Promise<void> {
    const path = incoming.url?.split("?")[0];
    if (path !== AGENT_PATH) {
      return void socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
    }
    const peer = this.#peers.get(incoming.socket);
    if (peer === undefined) return void socket.destroy();
    const decision = await this.#options.upgrade(peer);
    if (!(decision instanceof Response)) {
      return this.#sockets.handleUpgrade(incoming, socket, head, decision);
    }
    const body = await decision.text();
    socket.end(
      `HTTP/1.1 ${decision.status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `content-length: ${new TextEncoder().encode(body).length}\r\n\r\n${body}`,
    );
  }
}

/** Clients' certificates are asked for, and judged by auth, which says what is wrong. */
function contextOf(identity: TlsIdentity): TlsContext {
  return createTlsContext({ identity, authorityPems: [], minVersion: "TLSv1.2" });
}

/** @returns `null` if the request names no URL of ours. */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | null {
  const { method = "GET", url = "/", headers } = incoming;
  const target = URL.parse(url, "https://proxy.invalid");
  if (target === null || !url.startsWith("/")) return null;
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    fields.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const body = HAS_BODY.has(method)
    ? Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>
    : null;
  try {
    return new Request(target, { method, headers: fields, body, signal });
  } catch {
    return null; // a method or a header that fetch does not know
  }
}
