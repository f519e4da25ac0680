/**
 * The web API: TLS is ended here, on a port of the loopback interface that only the proxy's own relays may use, and
 * requests are handed on with the address of the client they really come from.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import type { TlsIdentity } from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import { CONTROL_MESSAGE_MAX_BYTES } from "../../tunnel/mod.ts";
import type { Peer } from "../auth/mod.ts";

const log = getLogger("server", "proxy");

const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const IDLE_MS = 75_000;
const MAX_HEADER_BYTES = 16_384;
const AGENT_PATH = "/v1/agent";
/** A body at most; the routes have smaller limits of their own. */
const HAS_BODY = new Set(["POST", "PUT", "PATCH", "DELETE"]);

export interface WebOptions {
  readonly identity: TlsIdentity;
  readonly fetch: (request: Request, peer: Peer) => Promise<Response>;
  /**
   * Decides on a control channel.
   *
   * @returns What to do with the open channel, or the answer that refuses it.
   */
  readonly upgrade: (peer: Peer) => Promise<((socket: WebSocket) => void) | Response>;
}

/** Serves HTTP to the proxy's web connections. */
export class WebServer {
  readonly #options: WebOptions;
  readonly #server: https.Server;
  readonly #sockets: WebSocketServer;
  /** By the port of the relay's end. */
  readonly #sources = new Map<number, string>();

  private constructor(options: WebOptions) {
    this.#options = options;
    this.#server = https.createServer({
      cert: options.identity.certificatePem,
      key: options.identity.privateKeyPem,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
      requestCert: true,
      rejectUnauthorized: false, // judged by auth, which says what is wrong
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
    }, (request, response) => {
      this.#answer(request, response).catch((error) => {
        log.error("Cannot answer a request", { error: String(error) });
        response.destroy();
      });
    });
    this.#server.on("tlsClientError", () => {}); // strangers; counted as connections
    this.#server.on("clientError", (_error, socket) => socket.destroy());
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: CONTROL_MESSAGE_MAX_BYTES });
    this.#server.on("upgrade", (request: IncomingMessage, socket: TLSSocket, head: Buffer) => {
      socket.on("error", () => socket.destroy());
      this.#upgrade(request, socket, head).catch(() => socket.destroy());
    });
  }

  static async open(options: WebOptions): Promise<WebServer> {
    const web = new WebServer(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    web.#server.once("error", reject);
    web.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return web;
  }

  /** Uses another certificate from the next handshake on. */
  setIdentity(identity: TlsIdentity): void {
    this.#server.setSecureContext({
      cert: identity.certificatePem,
      key: identity.privateKeyPem,
      minVersion: "TLSv1.2",
    });
  }

  /** Opens the inner half of a web connection; `source` is the address of the client. */
  async connect(source: string): Promise<Deno.TcpConn> {
    const { port } = this.#server.address() as AddressInfo;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    this.#sources.set(conn.localAddr.port, source);
    return conn;
  }

  /** The inner half is closed. */
  disconnected(conn: Deno.TcpConn): void {
    this.#sources.delete(conn.localAddr.port);
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const client of this.#sockets.clients) client.terminate();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  /** @returns `null` if the connection is not one of our relays: some other program found the port. */
  #peerOf(request: IncomingMessage): Peer | null {
    const socket = request.socket as TLSSocket;
    const source = this.#sources.get(socket.remotePort ?? 0);
    if (source === undefined) return null;
    const { raw } = socket.getPeerCertificate() as { readonly raw?: Uint8Array } | null ?? {};
    return {
      address: source,
      certificate: raw === undefined ? null : new Uint8Array(raw),
    };
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const peer = this.#peerOf(incoming);
    if (peer === null) return void outgoing.destroy();
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
    const peer = this.#peerOf(incoming);
    if (peer === null) return void socket.destroy();
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
