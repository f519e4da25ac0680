/**
 * The DNS server: reads questions over UDP and TCP, has the pure core judge them, and forwards what is not ours.
 *
 * @module
 */
import {
  decodeQuery,
  encodeReply,
  formatRrType,
  judgeQuery,
  type NameTable,
  type Query,
  type Question,
  type Transport,
} from "../../dns/mod.ts";
import { describeError, OsError } from "../../error.ts";
import {
  type Endpoint,
  equalEndpoint,
  formatEndpoint,
  formatIp,
  type Ipv6,
  parseIp,
} from "../../ip/mod.ts";
import type { UpstreamResult } from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import type { AnswerStore, DatagramSocket, Descriptor, Sockets } from "../../os/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { DnsForwarder } from "./forwarder.ts";
import { serveDnsStream } from "./tcp.ts";
import { DnsUdp, type Reply, type Responder } from "./udp.ts";
import type { HelperLink } from "../setup/helper_link.ts";
import { TcpServer } from "./tcp_server.ts";

const log = getLogger("client", "dns");

const TCP_IDLE_MS = 10_000;
const TCP_MESSAGE_MS = 5_000;
const MAX_TCP_CLIENTS = 128;
const OWN_ADDRESSES = 8;

export interface DnsServerOptions {
  readonly sockets: Sockets;
  readonly helper: HelperLink;
  /** Whether the machine's resolver can only be given an address, not a port. */
  readonly needsPort53: boolean;
  /** The link's own IPv6 address, for clients that ask over IPv6 where it must be port 53; without one, none can. */
  readonly linkAddress6?: Ipv6 | null;
  /** Whether it listens in another network than this process's: an upstream with its address is somebody else. */
  readonly elsewhere?: boolean;
  /** What questions are judged by until `setTable` says otherwise; without one, all are forwarded. */
  readonly table?: NameTable | null;
  /** How many foreign answers to keep; none if not given, as when a resolver in front of us keeps them. */
  readonly cacheEntries?: number;
}

/** A running DNS server. */
export class DnsServer implements AsyncDisposable {
  /** What the machine's resolver is told. */
  readonly endpoint: Endpoint;
  readonly #endpoints: Endpoint[] = [];
  readonly #sockets: Sockets;
  readonly #elsewhere: boolean;
  readonly #forwarder: DnsForwarder;
  readonly #listeners = new AsyncDisposableStack();
  /** What the shim answers by itself: replies of the table as it is now, and none else. */
  readonly #known: AnswerStore;
  #table: NameTable | null;
  /** Whether every question is to be logged; asking the logger each time would cost more than the answer. */
  readonly #logsNames = log.isEnabledFor("debug");
  #backend = "none";
  #why: readonly string[] = [];
  #total = 0;
  #malformed = 0;

  private constructor(endpoint: Endpoint, options: DnsServerOptions) {
    this.endpoint = endpoint;
    this.#sockets = options.sockets;
    this.#elsewhere = options.elsewhere ?? false;
    this.#table = options.table ?? null;
    this.#known = this.#listeners.use(options.sockets.answers());
    this.#forwarder = new DnsForwarder({
      ranges: () => this.#table?.ranges ?? [],
      elsewhere: this.#elsewhere,
      cacheEntries: options.cacheEntries ?? 0,
    });
  }

  /**
   * Listens on a loopback address: on port 53 through the helper where it must be, else on a free port; and where
   * the machine has IPv6 over that, too: beside a free port on ::1, whose port 53 may be somebody else's to come, and
   * beside port 53 on the link's own address.
   */
  static async open(options: DnsServerOptions): Promise<DnsServer> {
    const first = options.needsPort53 ? await openPort53(options) : openAnyPort(options.sockets);
    const server = new DnsServer(first.endpoint, options);
    try {
      await server.#listen(first);
      const second = options.needsPort53
        ? await openPort53OverIpv6(options)
        : openTwin(options.sockets, first.endpoint.port);
      if (second !== null) await server.#listen(second);
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Everywhere it listens, over UDP and TCP. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Says what questions are judged by from here on. Answers under way are the last by the table before. */
  setTable(table: NameTable | null): void {
    this.#table = table;
    this.#known.clear();
    this.#forwarder.clearCache();
  }

  /** Says whom to ask about foreign names; never this server itself. */
  setUpstreams(upstreams: readonly Endpoint[]): void {
    const own = this.#elsewhere ? [] : this.#endpoints;
    this.#forwarder.setUpstreams(
      upstreams.filter((upstream) => !own.some((endpoint) => equalEndpoint(endpoint, upstream))),
    );
  }

  /** The network is another: what is known of the upstreams holds no more. */
  networkChanged(): void {
    this.#forwarder.networkChanged();
  }

  /** Asks the upstreams about a name, past what is ours. */
  askUpstreams(question: Question): Promise<UpstreamResult> {
    return this.#forwarder.askUpstreams(question);
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
      listeners: this.#endpoints.map(formatEndpoint),
      zones: [...zones],
      upstreams: this.#forwarder.upstreams.map(formatEndpoint),
      queries_total: this.#total + this.#known.given,
      queries_forwarded: this.#forwarder.total,
      queries_malformed: this.#malformed,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // whoever still waits is told so before the sockets close
    await this.#forwarder[Symbol.asyncDispose]();
    await this.#listeners[Symbol.asyncDispose]();
  }

  async #listen(opened: Opened): Promise<void> {
    this.#endpoints.push(opened.endpoint);
    opened.udp.answerFrom(this.#known);
    const udp = new DnsUdp(opened.udp, this.#answerer("udp"));
    this.#listeners.defer(() => udp.close());
    const answer = this.#answerer("tcp");
    const tcp = await TcpServer.listen(this.#sockets, opened.tcpFd, {
      maxClients: MAX_TCP_CLIENTS,
      idleMs: TCP_IDLE_MS,
      messageMs: TCP_MESSAGE_MS,
      serve: (client) => serveDnsStream(client, answer),
    });
    this.#listeners.defer(() => tcp.close());
  }

  #answerer(transport: Transport): Responder {
    return (message, out, later) => {
      this.#total++;
      const decoded = decodeQuery(message);
      switch (decoded.kind) {
        case "query":
          return this.#answer(decoded.query, transport, out, later);
        case "error":
          this.#malformed++;
          out.set(decoded.reply);
          return decoded.reply.length;
        case "drop":
          this.#malformed++;
          return 0;
        default:
          return decoded satisfies never;
      }
    };
  }

  #answer(query: Query, transport: Transport, out: Uint8Array, later: () => Reply): number {
    const table = this.#table;
    const verdict = table === null ? null : judgeQuery(query, table, transport);
    if (this.#logsNames) {
      const { name, type } = query.question;
      const answer = verdict?.kind ?? "forward";
      log.debug("Asked for a name", { name, type: formatRrType(type), answer });
    }
    if (verdict !== null && verdict.kind !== "forward") {
      const written = encodeReply(query, verdict, transport, out);
      // What the shim answers by itself is not logged.
      if (transport === "udp" && !this.#logsNames) {
        this.#known.put(query.bytes, out.subarray(0, written));
      }
      return written;
    }
    const emptyNonTerminal = verdict?.emptyNonTerminal ?? false;
    this.#forwarder.forward({ query, transport, emptyNonTerminal }, later);
    return 0;
  }
}

interface Opened {
  readonly endpoint: Endpoint;
  readonly udp: DatagramSocket;
  readonly tcpFd: Descriptor;
}

/** Finds a 127.0.53.x that nobody else serves DNS on. */
async function openPort53(options: DnsServerOptions): Promise<Opened> {
  let last: unknown;
  for (let host = 1; host <= OWN_ADDRESSES; host++) {
    const address = `127.0.53.${host}`;
    try {
      const { udpFd, tcpFd } = await options.helper.dnsSockets(address);
      const endpoint = { address: parseIp(address), port: 53 };
      return { endpoint, udp: options.sockets.adoptUdp(udpFd), tcpFd };
    } catch (thrown) {
      if (!(thrown instanceof OsError) || thrown.errno !== "EADDRINUSE") throw thrown;
      last = thrown;
    }
  }
  throw last;
}

/** Port 53 on the link's own IPv6 address; `null` without one. */
async function openPort53OverIpv6(options: DnsServerOptions): Promise<Opened | null> {
  const address = options.linkAddress6 ?? null;
  if (address === null) return null;
  try {
    const { udpFd, tcpFd } = await options.helper.dnsSockets(formatIp(address));
    return { endpoint: { address, port: 53 }, udp: options.sockets.adoptUdp(udpFd), tcpFd };
  } catch (thrown) {
    log.debug("Not listening on IPv6", { error: describeError(thrown) });
    return null;
  }
}

/** Finds a port that is free for UDP and for TCP. */
function openAnyPort(sockets: Sockets): Opened {
  let last: unknown;
  for (let tried = 0; tried < OWN_ADDRESSES; tried++) {
    // TCP first: of its ports most are in use, as the near ends of connections
    const tcpFd = sockets.listenTcp({ address: parseIp("127.0.0.1"), port: 0 });
    try {
      const endpoint = sockets.localEndpoint(tcpFd);
      return { endpoint, udp: sockets.bindUdp(endpoint), tcpFd };
    } catch (thrown) {
      sockets.close(tcpFd);
      if (!(thrown instanceof OsError) || thrown.errno !== "EADDRINUSE") throw thrown;
      last = thrown;
    }
  }
  throw last;
}

/** The same port on ::1; `null` where there is no IPv6, or somebody else has it. */
function openTwin(sockets: Sockets, port: number): Opened | null {
  const endpoint = { address: parseIp("::1"), port };
  let tcpFd: Descriptor;
  try {
    tcpFd = sockets.listenTcp(endpoint);
  } catch (thrown) {
    log.debug("Not listening on IPv6", { error: describeError(thrown) });
    return null;
  }
  try {
    return { endpoint, udp: sockets.bindUdp(endpoint), tcpFd };
  } catch (thrown) {
    sockets.close(tcpFd);
    log.debug("Not listening on IPv6", { error: describeError(thrown) });
    return null;
  }
}
