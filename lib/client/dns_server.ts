/**
 * The DNS server: reads questions over UDP and TCP, has the pure core judge them, and forwards what is not ours.
 *
 * @module
 */
import {
  decodeQuery,
  EDE,
  encodeReply,
  frameMessage,
  FrameSplitter,
  judgeQuery,
  keepQuery,
  type NameTable,
  type Query,
  REPLY_MAX_BYTES,
  restoreAnswer,
  servfail,
  type Verdict,
} from "../dns/mod.ts";
import { describeError, OsError } from "../error.ts";
import { askUpstreams } from "../io/mod.ts";
import { type Endpoint, formatEndpoint, parseIp } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import { DatagramBatch, type Shim, tcpListen, UdpSocket } from "../os/mod.ts";
import type { StatusV1 } from "../status/mod.ts";
import type { HelperLink } from "./helper_link.ts";
import { type TcpClient, TcpServer } from "./tcp_server.ts";

const log = getLogger("client", "dns");

const BATCH = 64;
/** A query with every option that exists is far smaller. */
const QUERY_MAX_BYTES = 4096;
const MAX_IN_FLIGHT = 1024;
const FORWARD_DEADLINE_MS = 5_000;
const TCP_IDLE_MS = 10_000;
const MAX_TCP_CLIENTS = 128;
const OWN_ADDRESSES = 8;

export interface DnsServerOptions {
  readonly shim: Shim;
  readonly helper: HelperLink;
  /** Whether the machine's resolver can only be given an address, not a port. */
  readonly needsPort53: boolean;
  /** What questions are judged by at this moment. */
  readonly table: () => NameTable | null;
}

/** A running DNS server. */
export class DnsServer implements AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly #udp: UdpSocket;
  #tcp: TcpServer | null = null;
  readonly #table: () => NameTable | null;
  readonly #stop = new AbortController();
  readonly #reply = new Uint8Array(REPLY_MAX_BYTES);
  readonly #one = new DatagramBatch(1, 65_535);
  readonly #serving: Promise<void>;
  #upstreams: readonly Endpoint[] = [];
  #backend = "none";
  #why: readonly string[] = [];
  #inFlight = 0;
  #total = 0;
  #forwarded = 0;
  #malformed = 0;

  private constructor(
    endpoint: Endpoint,
    udp: UdpSocket,
    table: () => NameTable | null,
  ) {
    this.endpoint = endpoint;
    this.#udp = udp;
    this.#table = table;
    this.#serving = this.#serveUdp();
  }

  /** Listens on a loopback address: on port 53 through the helper where it must be, else on a free port. */
  static async open(options: DnsServerOptions): Promise<DnsServer> {
    const { shim } = options;
    const { endpoint, udp, tcpFd } = options.needsPort53
      ? await openPort53(options)
      : openAnyPort(shim);
    const server = new DnsServer(endpoint, udp, options.table);
    try {
      server.#tcp = await TcpServer.listen(tcpFd, {
        maxClients: MAX_TCP_CLIENTS,
        idleMs: TCP_IDLE_MS,
        serve: (client) => server.#serveTcp(client),
      });
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  setUpstreams(upstreams: readonly Endpoint[]): void {
    this.#upstreams = upstreams;
  }

  setBackend(backend: string, why: readonly string[]): void {
    this.#backend = backend;
    this.#why = why;
  }

  /** The public form. */
  render(zones: readonly string[]): NonNullable<StatusV1["dns"]> {
    return {
      backend: this.#backend,
      why: [...this.#why],
      server: formatEndpoint(this.endpoint),
      zones: [...zones],
      upstreams: this.#upstreams.map(formatEndpoint),
      queries_total: this.#total,
      queries_forwarded: this.#forwarded,
      queries_malformed: this.#malformed,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#udp.close();
    await this.#tcp?.close();
    await this.#serving;
  }

  async #serveUdp(): Promise<void> {
    const received = new DatagramBatch(BATCH, QUERY_MAX_BYTES);
    const replies = new DatagramBatch(BATCH, REPLY_MAX_BYTES);
    while (!this.#stop.signal.aborted) {
      let count: number;
      try {
        count = await this.#udp.receive(received);
      } catch (thrown) {
        log.error("The DNS socket failed", { error: describeError(thrown) });
        return;
      }
      if (count === 0) return;
      let ready = 0;
      for (let index = 0; index < count; index++) {
        const written = this.#answerUdp(received, index, replies.slot(ready));
        if (written === 0) continue;
        replies.lengths[ready] = written;
        received.copyEndpoint(index, replies, ready++);
      }
      this.#udp.trySend(replies, ready);
    }
  }

  /** Answers one datagram into `out`; 0 when there is nothing to send now. */
  #answerUdp(received: DatagramBatch, index: number, out: Uint8Array): number {
    this.#total++;
    const decoded = decodeQuery(received.payload(index));
    switch (decoded.kind) {
      case "drop":
        this.#malformed++;
        return 0;
      case "error":
        this.#malformed++;
        out.set(decoded.reply);
        return decoded.reply.length;
      case "query":
        break;
      default:
        return decoded satisfies never;
    }
    const verdict = this.#judge(decoded.query);
    if (verdict !== null && verdict.kind !== "forward") {
      return encodeReply(decoded.query, verdict, "udp", out);
    }
    const query = keepQuery(decoded.query);
    const client = received.endpoint(index);
    void this.#forward(query, verdict, "udp").then((reply) => {
      this.#one.put(0, reply, client);
      this.#udp.trySend(this.#one, 1);
    }).catch((thrown) => log.error("Forwarding failed", { error: describeError(thrown) }));
    return 0;
  }

  async #serveTcp(client: TcpClient): Promise<void> {
    const splitter = new FrameSplitter({ maxBytes: QUERY_MAX_BYTES });
    const answering = new Set<Promise<void>>();
    for (let chunk = await client.read(); chunk !== null; chunk = await client.read()) {
      const messages = splitter.push(chunk);
      if (messages === null) break;
      for (const message of messages) {
        const reply = this.#answerTcp(message);
        if (reply === null) continue;
        // Each answer leaves when it is ready, in whatever order (RFC 7766 section 6.2.1.1).
        const sent = Promise.resolve(reply).then((bytes) => client.write(frameMessage(bytes)));
        answering.add(sent.catch(() => {}).finally(() => answering.delete(sent)));
      }
    }
    await Promise.all(answering);
  }

  #answerTcp(message: Uint8Array): Uint8Array | Promise<Uint8Array> | null {
    this.#total++;
    const decoded = decodeQuery(message);
    if (decoded.kind !== "query") {
      this.#malformed++;
      return decoded.kind === "error" ? decoded.reply : null;
    }
    const verdict = this.#judge(decoded.query);
    if (verdict === null || verdict.kind === "forward") {
      return this.#forward(decoded.query, verdict, "tcp");
    }
    return this.#reply.slice(0, encodeReply(decoded.query, verdict, "tcp", this.#reply));
  }

  #judge(query: Query): Verdict | null {
    const table = this.#table();
    return table === null ? null : judgeQuery(query, table);
  }

  async #forward(
    query: Query,
    verdict: Extract<Verdict, { kind: "forward" }> | null,
    transport: "udp" | "tcp",
  ): Promise<Uint8Array> {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      return servfail(query, { code: EDE.OTHER, text: "too many queries at once" });
    }
    this.#inFlight++;
    this.#forwarded++;
    try {
      const deadline = AbortSignal.any([
        this.#stop.signal,
        AbortSignal.timeout(FORWARD_DEADLINE_MS),
      ]);
      const result = await askUpstreams(query, this.#upstreams, transport, deadline);
      if (result.kind === "failed") {
        return servfail(query, {
          code: EDE.NETWORK_ERROR,
          text: `upstream failed: ${result.reason}`,
        });
      }
      const emptyNonTerminal = verdict?.emptyNonTerminal ?? false;
      return restoreAnswer(result.bytes, query, { transport, emptyNonTerminal });
    } finally {
      this.#inFlight--;
    }
  }
}

interface Opened {
  readonly endpoint: Endpoint;
  readonly udp: UdpSocket;
  readonly tcpFd: number;
}

/** Finds a 127.0.53.x that nobody else serves DNS on. */
async function openPort53(options: DnsServerOptions): Promise<Opened> {
  let last: unknown;
  for (let host = 1; host <= OWN_ADDRESSES; host++) {
    const address = `127.0.53.${host}`;
    try {
      const { udpFd, tcpFd } = await options.helper.dnsSockets(address);
      const endpoint = { address: parseIp(address), port: 53 };
      return { endpoint, udp: UdpSocket.fromFd(options.shim, udpFd), tcpFd };
    } catch (thrown) {
      if (!(thrown instanceof OsError) || thrown.errno !== "EADDRINUSE") throw thrown;
      last = thrown;
    }
  }
  throw last;
}

function openAnyPort(shim: Shim): Opened {
  const address = parseIp("127.0.0.1");
  const udp = UdpSocket.bind(shim, { address, port: 0 });
  const endpoint = { address, port: udp.localEndpoint.port };
  try {
    return { endpoint, udp, tcpFd: tcpListen(shim, endpoint) };
  } catch (thrown) {
    void udp.close();
    throw thrown;
  }
}
