/**
 * UDP in memory: a test asks, and gets what the socket sends back.
 *
 * @module
 */
import { type Endpoint, formatEndpoint, parseEndpoint } from "../../../lib/ip/mod.ts";
import type {
  AnswerStore,
  DatagramBatch,
  DatagramSocket,
  Descriptor,
} from "../../../lib/os/mod.ts";
import type { Descriptors, Thing } from "./descriptors.ts";
import { Queue } from "./queue.ts";

const ID_BYTES = 2;
const FIRST_CLIENT_PORT = 50_000;

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

/** A bound UDP socket, and the clients that asked it. */
export class BoundUdp implements Thing {
  readonly what: string;
  readonly endpoint: Endpoint;
  readonly inbox = new Queue<Datagram>();
  readonly #asking = new Map<string, (reply: Uint8Array) => void>();
  readonly #onEnd: () => void;
  #nextPort = FIRST_CLIENT_PORT;
  answers: MemoryAnswers | null = null;

  constructor(endpoint: Endpoint, onEnd: () => void) {
    this.endpoint = endpoint;
    this.what = `udp ${formatEndpoint(endpoint)}`;
    this.#onEnd = onEnd;
  }

  /** Sends a query from a port of its own. @returns The reply; a promise that stays open if there is none. */
  ask(query: Uint8Array): Promise<Uint8Array> {
    const known = this.answers?.find(query) ?? null;
    if (known !== null) return Promise.resolve(known);
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const from = parseEndpoint(`192.0.2.1:${this.#nextPort++}`);
    this.#asking.set(formatEndpoint(from), resolve);
    this.inbox.put({ bytes: query.slice(), from });
    return promise;
  }

  /** Whoever does not wait gets nothing, as UDP may be. */
  deliver(reply: Uint8Array, to: Endpoint): void {
    const key = formatEndpoint(to);
    this.#asking.get(key)?.(reply.slice());
    this.#asking.delete(key);
  }

  end(): void {
    this.inbox.end();
    this.#onEnd();
  }
}

/** A socket that holds a bound one. */
export class MemoryDatagrams implements DatagramSocket {
  readonly #descriptors: Descriptors;
  readonly #descriptor: Descriptor;
  readonly #udp: BoundUdp;
  readonly #closing = new AbortController();

  constructor(descriptors: Descriptors, descriptor: Descriptor) {
    this.#descriptors = descriptors;
    this.#descriptor = descriptor;
    this.#udp = descriptors.get(descriptor, BoundUdp);
  }

  tryReceive(batch: DatagramBatch): number {
    const taken = this.#udp.inbox.takeNow(batch.count);
    for (const [index, { bytes, from }] of taken.entries()) batch.put(index, bytes, from);
    return taken.length;
  }

  async receive(batch: DatagramBatch, signal?: AbortSignal): Promise<number> {
    const closing = this.#closing.signal;
    const until = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    try {
      await this.#udp.inbox.wait(until);
    } catch (thrown) {
      if (closing.aborted) return 0;
      throw thrown;
    }
    return this.tryReceive(batch);
  }

  trySend(batch: DatagramBatch, count: number = batch.count): number {
    for (let index = 0; index < count; index++) {
      this.#udp.deliver(batch.payload(index), batch.endpoint(index));
    }
    return count;
  }

  answerFrom(known: AnswerStore): void {
    if (!(known instanceof MemoryAnswers)) throw new TypeError("Cannot mix machines");
    this.#udp.answers = known;
  }

  close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      this.#descriptors.close(this.#descriptor);
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Replies by their queries. */
export class MemoryAnswers implements AnswerStore {
  readonly handle = 0n;
  given = 0;
  readonly #replies = new Map<string, Uint8Array>();

  put(query: Uint8Array, reply: Uint8Array): void {
    this.#replies.set(query.subarray(ID_BYTES).toHex(), reply.slice());
  }

  clear(): void {
    this.#replies.clear();
  }

  /** @returns The reply under the query's own id, or `null`. */
  find(query: Uint8Array): Uint8Array | null {
    const reply = this.#replies.get(query.subarray(ID_BYTES).toHex());
    if (reply === undefined) return null;
    this.given++;
    const own = reply.slice();
    own.set(query.subarray(0, ID_BYTES));
    return own;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
