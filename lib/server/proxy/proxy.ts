import type { WebSocket } from "ws";
import { OsError } from "../../error.ts";
import { closeQuietly, relay, type TlsIdentity, writeAll } from "../../io/mod.ts";
import { pause, withDeadline } from "../../wait.ts";
import { type Endpoint, formatEndpoint, formatIp, parseIp, unmapIp } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import {
  type AlertedRefusal,
  Classifier,
  type ConnectionKind,
  encodeAlert,
} from "../../tunnel/mod.ts";
import type { AuthService, Peer } from "../auth/mod.ts";
import { Admission, type AdmissionLimits, DEFAULT_LIMITS, type Place } from "./admission.ts";
import { AgentChannels, refusal } from "./agent_channels.ts";
import { AppRelays } from "./app_relays.ts";
import { WebServer } from "./web.ts";

const log = getLogger("server", "proxy");

const PIECE_BYTES = 4096;
const BACKLOG = 4096;

const NOT_TLS =
  "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\n" +
  "This port speaks TLS: use https://\n";

interface ProxyOptions {
  readonly listen: Endpoint;
  readonly auth: AuthService;
  /** The certificate of the web API. */
  readonly identity: TlsIdentity;
  readonly nowMs: () => number;
  readonly limits?: AdmissionLimits;
}

/** Serves one public port until it is closed. */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #listener: Deno.TcpListener;
  readonly #web: WebServer;
  readonly #limits: AdmissionLimits;
  readonly #admission: Admission;
  readonly #relays = new AppRelays();
  readonly #agents: AgentChannels;
  readonly #connections = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #accepting: Promise<void>;
  readonly #lockWatch: Disposable;
  readonly #reviewWatch: Disposable;

  /** @throws {OsError} `listen-failed` when the port cannot be had. */
  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#listener = listen(options.listen);
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#admission = new Admission(this.#limits);
    this.#agents = new AgentChannels({
      auth: options.auth,
      nowMs: options.nowMs,
      cut: (agentId, reason) => this.#relays.cutAgent(agentId, reason),
    });
    this.#web = new WebServer({
      identity: options.identity,
      patienceMs: this.#limits.firstBytesMs,
      fetch: (request, peer) => options.auth.fetch(request, peer),
      upgrade: (peer) => this.#admitAgent(peer),
    });
    this.#lockWatch = options.auth.onLock((target, reason) => {
      this.#agents.shutOut(target, reason);
      if (!("session" in target)) return;
      const { session } = target;
      this.#relays.review(({ sessionId, loginId }) => ![sessionId, loginId].includes(session));
    });
    this.#reviewWatch = options.auth.onReview(() => {
      const ending = this.#relays.review((holder) => options.auth.denialOf(holder) === null);
      // Their agents end the flows at once, and record it; the proxy waits a while for that
      for (const { agentId, holder } of ending) {
        const denial = options.auth.denialOf(holder);
        if (agentId === null || denial === null) continue;
        this.#agents.revoke(agentId, holder.sessionId, denial);
      }
    });
    this.#accepting = this.#acceptAll();
  }

  /** Where it listens, with the port that was given for port 0. */
  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Uses another certificate for the web API from the next handshake on. */
  setIdentity(identity: TlsIdentity): void {
    this.#web.setIdentity(identity);
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#agents.drain();
    this.#closing.abort(new Error("The proxy is shutting down"));
    this.#lockWatch[Symbol.dispose]();
    this.#reviewWatch[Symbol.dispose]();
    closeQuietly(this.#listener);
    this.#agents.close();
    this.#relays.close();
    this.#web.close();
    await this.#accepting;
    await Promise.allSettled(this.#connections);
  }

  async #acceptAll(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        this.#take(await this.#listener.accept());
      } catch (thrown) {
        if (this.#closing.signal.aborted) return;
        // Out of descriptors, or a client that left before we looked.
        log.warning("Cannot accept a connection", { error: String(thrown) });
        await pause(100, this.#closing.signal);
      }
    }
  }

  #take(conn: Deno.TcpConn): void {
    const source = addressOf(conn);
    const place = this.#admission.enter(source);
    if (place === null) {
      log.debug("Turned a connection away: too many", { source });
      return closeQuietly(conn);
    }
    const serving = this.#serve(conn, place).catch((error) => {
      log.debug("A connection failed", { source, error: String(error) });
    }).finally(() => {
      closeQuietly(conn);
      place.leave();
      this.#connections.delete(serving);
    });
    this.#connections.add(serving);
  }

  async #serve(conn: Deno.TcpConn, place: Place): Promise<void> {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
    const classifier = new Classifier();
    const kind = await this.#classify(conn, classifier);
    place.known();
    switch (kind.kind) {
      case "app":
        return await this.#serveApp(conn, kind, classifier.received);
      case "data-channel": {
        place.discharge();
        const rest = classifier.received.subarray(kind.bytes);
        return await this.#serveDataChannel(conn, kind.ticket, rest);
      }
      case "web":
        return await this.#web.serve(conn, classifier.received, addressOf(conn));
      case "http":
        await writeAll(conn, new TextEncoder().encode(NOT_TLS));
        return await conn.closeWrite();
      case "more":
      case "bad":
        return;
    }
  }

  /** @returns `more` if the peer went away or was too slow. */
  async #classify(conn: Deno.TcpConn, classifier: Classifier): Promise<ConnectionKind> {
    const piece = new Uint8Array(PIECE_BYTES);
    try {
      return await withDeadline(this.#limits.firstBytesMs, this.#closing.signal, async (signal) => {
        // A read cannot be called off: closing the connection ends it.
        signal.addEventListener("abort", () => closeQuietly(conn), { once: true });
        for (;;) {
          const count = await conn.read(piece);
          if (count === null) return { kind: "more" };
          const kind = classifier.push(piece.subarray(0, count));
          if (kind.kind !== "more") return kind;
        }
      });
    } catch {
      return { kind: "more" };
    }
  }

  async #serveApp(
    conn: Deno.TcpConn,
    wanted: { readonly ticket: string; readonly appId: string },
    firstBytes: Uint8Array,
  ): Promise<void> {
    using client = await this.#relays.admit(async () => {
      const holder = await this.#options.auth.verifyTicket(wanted.ticket);
      return holder?.appId === wanted.appId ? holder : null;
    });
    if (client === null) {
      log.debug("Refused a ticket", { source: addressOf(conn) });
      return await this.#refuse(conn, "ticket-refused");
    }
    const peer = formatEndpoint({ address: parseIp(addressOf(conn)), port: conn.remoteAddr.port });
    const far = await this.#agents.dial(client, peer);
    if (far === null) {
      const reason = this.#closing.signal.aborted ? "draining" : "no-agent";
      log.info("No agent for a connection", { app: client.holder.app, reason });
      return await this.#refuse(conn, client.cut.aborted ? "ticket-refused" : reason);
    }
    try {
      await writeAll(far.conn, firstBytes);
      await relay(conn, far.conn, { signal: client.cut });
    } finally {
      far.release();
    }
  }

  /** Tells a client that waits for a TLS server why there is none. */
  async #refuse(conn: Deno.TcpConn, refusal: AlertedRefusal): Promise<void> {
    await writeAll(conn, encodeAlert(refusal));
    await conn.closeWrite();
  }

  /** Hands the connection to whoever waits for it, and waits until they are done with it. */
  async #serveDataChannel(conn: Deno.TcpConn, ticket: string, rest: Uint8Array): Promise<void> {
    if (rest.length > 0) return; // a TLS server speaks second
    await this.#agents.claim(ticket, conn);
  }

  async #admitAgent(peer: Peer): Promise<((socket: WebSocket) => void) | Response> {
    return this.#closing.signal.aborted ? goingAway() : await this.#agents.admit(peer);
  }
}

function listen(endpoint: Endpoint): Deno.TcpListener {
  try {
    return Deno.listen({
      hostname: formatIp(endpoint.address),
      port: endpoint.port,
      tcpBacklog: BACKLOG,
    });
  } catch (cause) {
    const errno = (cause as { readonly code?: string }).code ?? "EIO";
    throw new OsError(
      "listen-failed",
      `Cannot listen on ${formatEndpoint(endpoint)}: ${describe(cause)}`,
      {
        call: "listen",
        errno,
        cause,
        hint: "Change `listen_addr`, stop what has the port, or allow low ports to this user",
      },
    );
  }
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The client's address; an IPv4 client of an IPv6 listener by its IPv4 address. */
function addressOf(conn: Deno.TcpConn): string {
  return formatIp(unmapIp(parseIp(conn.remoteAddr.hostname)));
}

function goingAway(): Response {
  return refusal("draining", "The proxy is shutting down", 503);
}
