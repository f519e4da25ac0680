/**
 * A small DNS resolver that answers as a test tells it to, over UDP and TCP on one port of 127.0.0.1.
 *
 * @module
 */
import { decodeMessage, FLAG, frameMessage, FrameSplitter } from "../../lib/dns/mod.ts";
import { type Endpoint, parseIp } from "../../lib/ip/mod.ts";

/** What to say to a question: messages to send, in order; none to stay silent. */
export type Script = (question: Uint8Array, transport: "udp" | "tcp") => readonly Uint8Array[];

/** A question as it came in, and a way to answer it. */
export interface Asked {
  readonly bytes: Uint8Array;
  readonly transport: "udp" | "tcp";
  reply(message: Uint8Array): Promise<void>;
}

/** A resolver that runs until it is disposed of. */
export class DnsUpstream implements AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Every question it was asked, in order. */
  readonly asked: Uint8Array[] = [];
  script: Script;
  /** TCP connections it accepted so far. */
  accepted = 0;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #conns = new Set<Deno.TcpConn>();
  readonly #serving: Promise<unknown>;
  readonly #unread: Asked[] = [];
  #onHangUp: (() => void) | null = null;
  #waiting: { readonly count: number; readonly resolve: () => void } | null = null;

  constructor(script: Script) {
    this.script = script;
    this.#tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = this.#tcp.addr as Deno.NetAddr;
    this.#udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
    this.endpoint = { address: parseIp("127.0.0.1"), port };
    this.#serving = Promise.allSettled([this.#serveUdp(), this.#serveTcp()]);
  }

  /** Waits until so many questions have been asked, from the first on. */
  async askedTimes(count: number): Promise<void> {
    if (this.asked.length >= count) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = { count, resolve };
    await promise;
  }

  /** Waits for the next question that nobody has taken yet. */
  async next(): Promise<Asked> {
    if (this.#unread.length === 0) await this.askedTimes(this.asked.length + 1);
    const asked = this.#unread.shift();
    if (asked === undefined) throw new Error("Two wait for one question");
    return asked;
  }

  /** TCP connections that are open. */
  get open(): number {
    return this.#conns.size;
  }

  /** Closes every TCP connection, as a resolver may at any time. */
  hangUp(): void {
    for (const conn of this.#conns) if (this.#conns.delete(conn)) closeQuietly(conn);
    this.#tell();
  }

  /** Waits until no TCP connection is open. */
  async hungUp(): Promise<void> {
    while (this.#conns.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onHangUp = resolve;
      await promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    for (const conn of this.#conns) conn.close();
    await this.#serving;
  }

  async #hear(bytes: Uint8Array, transport: "udp" | "tcp", reply: Asked["reply"]): Promise<void> {
    this.asked.push(bytes);
    this.#unread.push({ bytes, transport, reply });
    if (this.#waiting !== null && this.asked.length >= this.#waiting.count) this.#waiting.resolve();
    for (const message of this.script(bytes.slice(), transport)) await reply(message);
  }

  async #serveUdp(): Promise<void> {
    for await (const [question, from] of this.#udp) {
      await this.#hear(question.slice(), "udp", async (message) => {
        await this.#udp.send(message, from);
      });
    }
  }

  async #serveTcp(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#tcp) serving.push(this.#serveConn(conn));
    await Promise.allSettled(serving);
  }

  async #serveConn(conn: Deno.TcpConn): Promise<void> {
    this.#conns.add(conn);
    this.accepted++;
    const splitter = new FrameSplitter();
    try {
      for await (const chunk of conn.readable) {
        for (const question of splitter.push(chunk) ?? []) {
          await this.#hear(question, "tcp", async (message) => {
            const framed = frameMessage(message);
            for (let at = 0; at < framed.length;) at += await conn.write(framed.subarray(at));
          });
        }
      }
    } catch {
      // Somebody hung up.
    } finally {
      if (this.#conns.delete(conn)) closeQuietly(conn);
      this.#tell();
    }
  }

  #tell(): void {
    this.#onHangUp?.();
  }
}

/** An answer as an honest resolver gives it: the question back, and these records (type and data). */
export function answerTo(
  question: Uint8Array,
  records: readonly (readonly [type: number, rdata: readonly number[]])[],
  options: { rcode?: number; flags?: number; ttlSeconds?: number } = {},
): Uint8Array<ArrayBuffer> {
  const { rcode = 0, flags = 0, ttlSeconds = 60 } = options;
  const questionEnd = endOfQuestion(question);
  const tail = records.flatMap(([type, rdata]) => [
    ...[0xc0, 12, type >> 8, type & 255, 0, 1],
    ...[ttlSeconds >>> 24, ttlSeconds >> 16 & 255, ttlSeconds >> 8 & 255, ttlSeconds & 255],
    ...[rdata.length >> 8, rdata.length & 255, ...rdata],
  ]);
  const answer = Uint8Array.of(...question.subarray(0, questionEnd), ...tail);
  const view = new DataView(answer.buffer);
  const asked = view.getUint16(2) & (FLAG.RD | FLAG.CD);
  view.setUint16(2, FLAG.QR | FLAG.RA | asked | flags | rcode);
  view.setUint16(6, records.length);
  view.setUint16(10, 0);
  return answer;
}

/** A script that gives one IPv4 address for everything. */
export function always(...octets: number[]): Script {
  return (question) => [answerTo(question, [[1, octets]])];
}

/** A script that fails with a response code. */
export function failing(rcode: number): Script {
  return (question) => [answerTo(question, [], { rcode })];
}

/** A script that says nothing. */
export const silent: Script = () => [];

function endOfQuestion(question: Uint8Array): number {
  const message = decodeMessage(question);
  if (message?.questions.length !== 1) throw new TypeError("Not a question");
  let at = 12;
  for (let size = question[at] ?? 0; size > 0; size = question[at] ?? 0) at += size + 1;
  return at + 5;
}

function closeQuietly(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // Its readable side closed it already.
  }
}
