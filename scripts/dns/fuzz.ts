/**
 * Hostile messages for the DNS core: seeds from the corpus, bent at random, and what must hold for each.
 *
 * @module
 */
import {
  acceptAnswer,
  AnswerCache,
  claimsAddressIn,
  decodeMessage,
  decodeQuery,
  encodeForward,
  encodeReply,
  FLAG,
  FrameSplitter,
  judgeQuery,
  type NameTable,
  type Query,
  REPLY_MAX_BYTES,
  replyLimit,
  restoreAnswer,
  type Transport,
} from "../../lib/dns/mod.ts";
import { bend as bendBytes, type Edit } from "../fuzz/bend.ts";
import { Random } from "./random.ts";
import { newTable } from "./table.ts";

const FIXTURES = new URL("../../tests/fixtures/dns/", import.meta.url);
const CORPUS = ["hostile_queries.txt", "hostile_answers.txt", "golden_replies.txt"];
/** Nothing may take longer, when it is tried again in peace. */
const LIMIT_MS = 1;
const RETRIES = 20;
const MESSAGE_MAX_BYTES = 2048;
const TRANSPORTS: readonly Transport[] = ["udp", "tcp"];

/** What came of a run. */
export interface FuzzReport {
  readonly packets: number;
  readonly queries: number;
  readonly answers: number;
  readonly slowestMs: number;
}

/** Every message of the corpus. */
export function readCorpus(): Uint8Array<ArrayBuffer>[] {
  return CORPUS.flatMap((file) =>
    Deno.readTextFileSync(new URL(file, FIXTURES)).split("\n")
      .filter((line) => /^[^#]/.test(line))
      .flatMap((line) => line.split(" ").filter((word) => /^([0-9a-f]{2})+$/.test(word)))
      .map((hex) => Uint8Array.fromHex(hex))
  );
}

/**
 * Tries so many messages.
 *
 * @throws {Error} With the message in hexadecimal, at the first thing that does not hold.
 */
export function fuzz(packets: number, seed: number): FuzzReport {
  const random = new Random(seed);
  const corpus = readCorpus();
  const run = new FuzzRun();
  let slowestMs = 0;
  for (let count = 0; count < packets; count++) {
    const bytes = bend(random, corpus);
    const tookMs = run.timed(bytes);
    if (tookMs > LIMIT_MS) {
      const againMs = Math.min(...Array.from({ length: RETRIES }, () => run.timed(bytes)));
      if (againMs > LIMIT_MS) throw new Error(`Takes ${againMs} ms: ${bytes.toHex()}`);
      slowestMs = Math.max(slowestMs, againMs);
    } else {
      slowestMs = Math.max(slowestMs, tookMs);
    }
  }
  return { packets, queries: run.queries, answers: run.answers, slowestMs };
}

/** Takes a seed and changes it in a few places. */
export function bend(
  random: Random,
  corpus: readonly Uint8Array<ArrayBuffer>[],
): Uint8Array<ArrayBuffer> {
  return bendBytes(random, corpus, { maxBytes: MESSAGE_MAX_BYTES, edit: bendCount });
}

/** Changes a count of the header. */
const bendCount: Edit = (random, bytes) => {
  if (bytes.length >= 12) bytes[5 + 2 * random.below(4)] = random.below(4);
  return bytes;
};

/** One run: the table and buffers that every message meets. */
class FuzzRun {
  readonly #table: NameTable = newTable();
  readonly #out = new Uint8Array(REPLY_MAX_BYTES);
  readonly #cache = new AnswerCache({ maxEntries: 64 });
  readonly #caseBits = Uint8Array.of(0x5a, 0xa5, 0x3c);
  queries = 0;
  answers = 0;

  /** Tries a message; returns how long the code under test took. */
  timed(bytes: Uint8Array<ArrayBuffer>): number {
    const before = performance.now();
    try {
      const decoded = decodeQuery(bytes);
      decodeMessage(bytes);
      claimsAddressIn(bytes, this.#table.ranges);
      new FrameSplitter({ maxBytes: 4096 }).push(bytes);
      if (decoded.kind === "query") this.#tryQuery(decoded.query, bytes);
      if (decoded.kind === "error") this.#checkError(decoded.reply, bytes);
    } catch (cause) {
      throw new Error(`${cause}: ${bytes.toHex()}`, { cause });
    }
    return performance.now() - before;
  }

  #tryQuery(query: Query, bytes: Uint8Array<ArrayBuffer>): void {
    this.queries++;
    for (const transport of TRANSPORTS) {
      const verdict = judgeQuery(query, this.#table, transport);
      if (verdict.kind === "forward") this.#tryForward(query, bytes, transport);
      else {
        const length = encodeReply(query, verdict, transport, this.#out);
        checkReply(query, this.#out.subarray(0, length), transport);
      }
    }
  }

  /** The query's own bytes stand for what an upstream sends back: header and question fit, the rest is noise. */
  #tryForward(query: Query, bytes: Uint8Array<ArrayBuffer>, transport: Transport): void {
    const sent = encodeForward(query, { id: query.id, caseBits: this.#caseBits });
    const answer = bytes.slice();
    answer.set(sent.subarray(0, query.questionEnd));
    answer[2] = 0x81;
    answer.set(bytes.subarray(query.questionEnd, query.questionEnd + 6), 6);
    if (acceptAnswer(answer, sent, query) === null) return;
    this.answers++;
    this.#cache.keep("key", answer, 0);
    this.#cache.find("key", 1500);
    const restored = restoreAnswer(answer, query, { transport, emptyNonTerminal: true });
    checkHead(query, restored, transport);
  }

  #checkError(reply: Uint8Array, bytes: Uint8Array): void {
    const message = decodeMessage(reply);
    must(message !== null, "the error cannot be read");
    must(reply[0] === bytes[0] && reply[1] === bytes[1], "the error has another id");
  }
}

function checkReply(query: Query, reply: Uint8Array, transport: Transport): void {
  checkHead(query, reply, transport);
  const message = decodeMessage(reply);
  must(message !== null, "the reply cannot be read");
  must((message?.edns !== null) === query.edns, "OPT given or left out against the client's wish");
}

function checkHead(query: Query, reply: Uint8Array, transport: Transport): void {
  must(reply.length <= replyLimit(query, transport), "the reply is too large");
  must(reply[0] === query.id >> 8 && reply[1] === (query.id & 255), "the reply has another id");
  must(((reply[2] ?? 0) << 8 & FLAG.QR) !== 0, "the reply is a query");
  for (let at = 12; at < query.questionEnd; at++) {
    must(reply[at] === query.bytes[at], "the question came back changed");
  }
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
