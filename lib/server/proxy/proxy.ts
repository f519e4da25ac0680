import type { WebSocket } from "ws";
import { OsError } from "../../error.ts";
import { closeQuietly, relay, type TlsIdentity, writeAll } from "../../io/mod.ts";
import { pause, withDeadline } from "../../wait.ts";
import { type Endpoint, formatEndpoint, formatIp, type Prefix, sourceOf } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import {
  type AlertedRefusal,
  Classifier,
  type ConnectionKind,
  encodeAlert,
} from "../../tunnel/mod.ts";
import type { AuthService, Peer } from "../auth/mod.ts";
import { Handshakes, Tally } from "../limits/mod.ts";
import { Admission, type AdmissionLimits, DEFAULT_LIMITS, type Place } from "./admission.ts";
import { AgentChannels, refusal } from "./agent_channels.ts";
import { AppRelays } from "./app_relays.ts";
import { ForeignRelays } from "./foreign_relays.ts";
import { type Arrival, isTrustedProxy, readArrival, remoteOf } from "./balanced.ts";
import { WebServer } from "./web.ts";

const log = getLogger("server", "proxy");

const PIECE_BYTES = 4096;
const BACKLOG = 4096;
/** Connections of load balancers that have not said yet whose they are. */
const MAX_HEADERS = 1024;
/** How often it is told who was turned away. */
const SUMMARY_MS = 60_000;

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
  /** Where load balancers are that say by the PROXY protocol whose connection it is. */
  readonly trustedProxies?: readonly Prefix[];
  /** Where users have logged in from, as `Source` names hosts, oldest first. */
  readonly knownHosts?: readonly string[];
}

/** A connection that has a place. */
interface Serving extends Arrival {
  /** Whose it is, as limits, log and audit log name it. */
  readonly address: string;
  readonly place: Place;
  /** Somebody proved by it who they are. */
  readonly prove: () => void;
  /** It is a data channel. */
  readonly discharge: () => void;
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
  /** What this proxy carries for roots, where it is a leaf's. */
  readonly foreign: ForeignRelays;
  readonly #handshakes = new Handshakes();
  readonly #turnedAway = new Tally();
  readonly #summary: ReturnType<typeof setInterval>;
  readonly #connections = new Set<Promise<void>>();
  /** How many of these are a load balancer's and without a header. */
  #headers = 0;
  readonly #closing = new AbortController();
  readonly #accepting: Promise<void>;
  readonly #lockWatch: Disposable;
  readonly #reviewWatch: Disposable;

  /** @throws {OsError} `listen-failed` when the port cannot be had. */
  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#listener = listen(options.listen);
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#admission = new Admission(this.#limits, options.knownHosts);
    this.#summary = setInterval(() => this.#summarize(), SUMMARY_MS);
    this.#agents = new AgentChannels({
      auth: options.auth,
      nowMs: options.nowMs,
      cut: (agentId, reason) => this.#relays.cutAgent(agentId, reason),
      carries: (agentId, session) =>
        this.#relays.of(session).some((relay) => relay.agentId === agentId),
    });
    this.foreign = new ForeignRelays(options.auth, this.#relays, this.#agents);
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

  /** Whether it takes connections. */
  get isOpen(): boolean {
    return !this.#closing.signal.aborted;
  }

  /** How many connections it has, and how many of these are relayed between a client and an agent. */
  get load(): { readonly connections: number; readonly relays: number } {
    return { connections: this.#connections.size, relays: this.#relays.size };
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
    clearInterval(this.#summary);
    this.#lockWatch[Symbol.dispose]();
    this.#reviewWatch[Symbol.dispose]();
    closeQuietly(this.#listener);
    this.#agents.close();
    this.#relays.close();
    this.#web.close();
    await this.#accepting;
    await Promise.allSettled(this.#connections);
    await this.foreign.close();
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
    const from = remoteOf(conn);
    if (!isTrustedProxy(this.#options.trustedProxies ?? [], from.address)) {
      return this.#admit({ conn, from, firstBytes: new Uint8Array() });
    }
    if (this.#headers >= MAX_HEADERS) {
      this.#turnedAway.add("no header yet");
      return closeQuietly(conn);
    }
    this.#headers++;
    this.#keep(
      conn,
      this.#readHeader(conn).finally(() => this.#headers--).then((arrival) => {
        if (arrival === null) closeQuietly(conn);
        else this.#admit(arrival);
      }),
    );
  }

  async #readHeader(conn: Deno.TcpConn): Promise<Arrival | null> {
    const arrival = await readArrival(conn, this.#limits.firstBytesMs, this.#closing.signal);
    if (typeof arrival !== "string") return arrival;
    if (arrival === "gone") return null;
    const isFirst = this.#turnedAway.add(`header ${arrival}`);
    if (isFirst && arrival === "version-1") {
      log.warning(
        "A load balancer speaks version 1 of the PROXY protocol: have it send version 2",
      );
    } else if (isFirst) {
      log.warning("A load balancer sends no good header of the PROXY protocol, version 2", {
        fault: arrival,
      });
    }
    return null;
  }

  #admit(arrival: Arrival): void {
    const { conn } = arrival;
    const address = formatIp(arrival.from.address);
    const place = this.#admission.enter(address, this.#options.nowMs(), () => {
      this.#turnedAway.add("evicted");
      closeQuietly(conn);
    });
    if (place === null) {
      this.#turnedAway.add("no place");
      log.debug("Turned a connection away: too many", { source: address });
      return closeQuietly(conn);
    }
    // Whoever proves nothing does not stay, however busy they look
    const patience = setTimeout(() => closeQuietly(conn), this.#limits.unprovenMs);
    const serving: Serving = {
      ...arrival,
      address,
      place,
      prove: () => {
        clearTimeout(patience);
        place.prove();
      },
      discharge: () => {
        clearTimeout(patience);
        place.discharge();
      },
    };
    this.#keep(
      conn,
      this.#serve(serving).finally(() => {
        clearTimeout(patience);
        closeQuietly(conn);
        place.leave();
      }),
    );
  }

  /** Waits for the connection's end before the proxy's. */
  #keep(conn: Deno.TcpConn, work: Promise<void>): void {
    const kept: Promise<void> = work.catch((error) => {
      log.debug("A connection failed", { source: conn.remoteAddr.hostname, error: String(error) });
    }).finally(() => this.#connections.delete(kept));
    this.#connections.add(kept);
  }

  async #serve(serving: Serving): Promise<void> {
    const { conn, address } = serving;
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
    const classifier = new Classifier();
    const kind = await this.#classify(serving, classifier);
    switch (kind.kind) {
      case "app":
        return await this.#serveApp(serving, kind, classifier.received);
      case "data-channel": {
        const rest = classifier.received.subarray(kind.bytes);
        if (rest.length > 0) return; // a TLS server speaks second
        serving.discharge();
        return await this.#agents.claim(kind.ticket, conn);
      }
      case "web":
        return await this.#serveWeb(serving, classifier.received);
      case "http":
        await writeAll(conn, new TextEncoder().encode(NOT_TLS));
        return await conn.closeWrite();
      case "more":
      case "bad":
        return this.#blame(address);
    }
  }

  async #serveWeb(serving: Serving, firstBytes: Uint8Array): Promise<void> {
    const { conn, address, place, prove } = serving;
    if (!this.#handshakes.take(sourceOf(address), place.isTrusted, this.#options.nowMs())) {
      this.#turnedAway.add("handshakes");
      return;
    }
    await this.#web.serve(conn, firstBytes, {
      address,
      onCertificate: (certificate) => {
        this.#isOurs(certificate).then((ours) => ours ? prove() : this.#blame(address), () => {});
      },
      onFailed: () => this.#blame(address),
    });
  }

  async #isOurs(certificate: Uint8Array): Promise<boolean> {
    const { auth } = this.#options;
    return (await auth.verifyUserCertificate(certificate)).kind === "good" ||
      (await auth.verifyAgentCertificate(certificate)).kind === "good" ||
      auth.leaves.verify(certificate).kind === "good";
  }

  #blame(address: string): void {
    this.#admission.blame(address, this.#options.nowMs());
  }

  #summarize(): void {
    const counts = this.#turnedAway.drain();
    if (counts === null) return;
    log.warning("Turned connections away in the last minute", {
      ...counts,
      connections: this.#admission.total,
    });
  }

  /** @returns `more` if the peer went away or was too slow. */
  async #classify(
    { conn, firstBytes }: Arrival,
    classifier: Classifier,
  ): Promise<ConnectionKind> {
    const first = classifier.push(firstBytes);
    if (first.kind !== "more") return first;
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
    { conn, from, address, prove }: Serving,
    wanted: { readonly ticket: string; readonly appId: string },
    firstBytes: Uint8Array,
  ): Promise<void> {
    using client = await this.#relays.admit(async () => {
      const holder = await this.#options.auth.verifyTicket(wanted.ticket);
      return holder?.appId === wanted.appId ? holder : null;
    });
    if (client === null) {
      log.debug("Refused a ticket", { source: address });
      this.#blame(address);
      return await this.#refuse(conn, "ticket-refused");
    }
    prove();
    const far = await this.#agents.dial(client, formatEndpoint(from));
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

function goingAway(): Response {
  return refusal("draining", "The proxy is shutting down", 503);
}
