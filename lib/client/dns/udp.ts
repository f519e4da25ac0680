/**
 * One UDP socket of the DNS server: reads and answers in batches, a system call for many datagrams.
 *
 * @module
 */
import { setImmediate as soon } from "node:timers";
import { setImmediate } from "node:timers/promises";
import { REPLY_MAX_BYTES } from "../../dns/mod.ts";
import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import { DatagramBatch, type DatagramSocket } from "../../os/mod.ts";

const log = getLogger("client", "dns");

const BATCH = 64;
/** A query with every option that exists is far smaller. */
const QUERY_MAX_BYTES = 4096;
/** So many at once are a rush. */
const BUSY = 4;
/** How often to look again in a rush; each look takes about a microsecond. */
const SPINS = 10;
/** After so many batches without a pause the other work of the process has its turn. */
const BATCHES_IN_A_ROW = 8;

/** Sends one reply, at any time. */
export type Reply = (message: Uint8Array) => void;

/**
 * Answers one message.
 *
 * @param message Borrowed until the call returns.
 * @param out Takes a reply that is ready, `REPLY_MAX_BYTES` long.
 * @param later Makes a way to reply after the call has returned.
 * @returns How many bytes were written to `out`; 0 if there is nothing to send yet, or ever.
 */
export type Responder = (message: Uint8Array, out: Uint8Array, later: () => Reply) => number;

/** A socket being served until it is closed. */
export class DnsUdp {
  readonly #socket: DatagramSocket;
  readonly #answer: Responder;
  readonly #received = new DatagramBatch(BATCH, QUERY_MAX_BYTES);
  readonly #replies = new DatagramBatch(BATCH, REPLY_MAX_BYTES);
  readonly #late = new DatagramBatch(BATCH, REPLY_MAX_BYTES);
  readonly #serving: Promise<void>;
  readonly #later = () => this.#replyTo(this.#received.takeEndpoint(this.#index));
  readonly #flush = () => this.#sendLate();
  #index = 0;
  #lateCount = 0;

  /** @param socket Becomes this object's to close. */
  constructor(socket: DatagramSocket, answer: Responder) {
    this.#socket = socket;
    this.#answer = answer;
    this.#serving = this.#serve();
  }

  async close(): Promise<void> {
    this.#sendLate();
    await this.#socket.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    try {
      for (let inARow = 0, spins = 1;;) {
        let count = this.#look(spins);
        if (count === 0) {
          inARow = 0;
          count = await this.#socket.receive(this.#received);
          if (count === 0) return;
        }
        this.#answerBatch(count);
        spins = count >= BUSY ? SPINS : 1;
        if (++inARow < BATCHES_IN_A_ROW) continue;
        inARow = 0;
        await setImmediate();
      }
    } catch (thrown) {
      log.error("The DNS socket failed", { error: describeError(thrown) });
    }
  }

  /** Looks for datagrams: in a rush the next ones come sooner than a thread could wait for them. */
  #look(times: number): number {
    for (let left = times; left > 0; left--) {
      const count = this.#socket.tryReceive(this.#received);
      if (count > 0) return count;
    }
    return 0;
  }

  #answerBatch(count: number): void {
    const received = this.#received;
    const replies = this.#replies;
    let ready = 0;
    for (let index = 0; index < count; index++) {
      this.#index = index;
      const out = replies.slot(ready);
      const written = this.#answer(received.payload(index), out, this.#later);
      if (written === 0) continue;
      replies.lengths[ready] = written;
      received.copyEndpoint(index, replies, ready++);
    }
    if (ready > 0) this.#socket.trySend(replies, ready);
  }

  /** What the kernel will not take is lost, as UDP may be. */
  #replyTo(client: Uint8Array): Reply {
    return (message) => {
      if (this.#lateCount === 0) soon(this.#flush);
      this.#late.putRaw(this.#lateCount++, message, client);
      if (this.#lateCount === BATCH) this.#sendLate();
    };
  }

  #sendLate(): void {
    const count = this.#lateCount;
    this.#lateCount = 0;
    if (count > 0) this.#socket.trySend(this.#late, count);
  }
}
