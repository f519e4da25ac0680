/**
 * What is not ours to answer: equal questions are asked once, within bounds, and the answers handed round.
 *
 * @module
 */
import {
  AnswerCache,
  answerKey,
  claimsAddressIn,
  decodeQuery,
  EDE,
  encodeQuestion,
  type ExtendedError,
  keepQuery,
  type Query,
  type Question,
  replyLimit,
  restoreAnswer,
  type RestoreOptions,
  servfail,
  type Transport,
} from "../../dns/mod.ts";
import { type UpstreamResult, Upstreams } from "../../io/mod.ts";
import { contains, type Endpoint, type Prefix } from "../../ip/mod.ts";
import type { Reply } from "./udp.ts";

/** Different questions that may be with upstreams at a time. */
const MAX_IN_FLIGHT = 1024;
/** Clients that may wait for the answer to one question. */
const MAX_WAITING = 256;

/** What fits any path. */
const OWN_UDP_BYTES = 1232;

const TOO_MANY: ExtendedError = { code: EDE.OTHER, text: "too many questions at once" };
const LOOP: ExtendedError = {
  code: EDE.NETWORK_ERROR,
  text: "this question of ours came back: an upstream leads back to this server",
};
const REBINDING: ExtendedError = {
  code: EDE.BLOCKED,
  text: "an upstream claims an address that only vnet gives out",
};

interface DnsForwarderOptions {
  /** Addresses that no upstream has a say over. */
  readonly ranges: () => readonly Prefix[];
  /** Whether they lead to another network than this one: an upstream may have one of them here. */
  readonly elsewhere?: boolean;
  /** How many answers to keep; 0 where the resolver in front of us keeps them. */
  readonly cacheEntries: number;
}

/** One question to forward. */
interface ForwardRequest {
  /** Borrowed until the call returns. */
  readonly query: Query;
  readonly transport: Transport;
  /** From the verdict: there are names of ours below this one. */
  readonly emptyNonTerminal: boolean;
}

interface Waiting {
  readonly query: Query;
  readonly options: RestoreOptions;
  readonly reply: Reply;
}

/** The questions that are with upstreams, and who waits for their answers. */
export class DnsForwarder implements AsyncDisposable {
  readonly #upstreams: Upstreams;
  readonly #flights = new Map<string, Waiting[]>();
  readonly #cache: AnswerCache | null;
  readonly #ranges: () => readonly Prefix[];
  readonly #objection = (answer: Uint8Array) =>
    claimsAddressIn(answer, this.#ranges()) ? REBINDING : null;
  #total = 0;

  constructor(options: DnsForwarderOptions) {
    this.#ranges = options.ranges;
    this.#upstreams = new Upstreams({
      isOwn: (address) =>
        options.elsewhere !== true && options.ranges().some((range) => contains(range, address)),
    });
    this.#cache = options.cacheEntries === 0
      ? null
      : new AnswerCache({ maxEntries: options.cacheEntries });
  }

  /** How many questions were not ours to answer. */
  get total(): number {
    return this.#total;
  }

  get upstreams(): readonly Endpoint[] {
    return this.#upstreams.endpoints;
  }

  /** Other upstreams may know other names: what was kept is dropped. */
  setUpstreams(upstreams: readonly Endpoint[]): void {
    this.#upstreams.set(upstreams);
    this.#cache?.clear();
  }

  /** The network is another. */
  networkChanged(): void {
    this.#upstreams.forget();
    this.#cache?.clear();
  }

  /** Drops what was kept: what may be believed is another matter now. */
  clearCache(): void {
    this.#cache?.clear();
  }

  /** Has an upstream answer, or says why there is no answer. `later` is called once, and its reply is, too. */
  forward(request: ForwardRequest, later: () => Reply): void {
    const { query, transport, emptyNonTerminal } = request;
    this.#total++;
    const options = { transport, emptyNonTerminal };
    if (this.#upstreams.leadsBack(query)) return later()(servfail(query, LOOP));
    const cacheKey = answerKey(query);
    const cached = this.#cache?.find(cacheKey, performance.now()) ?? null;
    if (cached !== null) return later()(restoreAnswer(cached, query, options));
    const key = `${replyLimit(query, transport)} ${cacheKey}`;
    const flight = this.#flights.get(key);
    const full = flight === undefined
      ? this.#flights.size >= MAX_IN_FLIGHT
      : flight.length >= MAX_WAITING;
    if (full) return later()(servfail(query, TOO_MANY));
    const waiting = { query: keepQuery(query), options, reply: later() };
    if (flight === undefined) this.#ask(key, cacheKey, waiting);
    else flight.push(waiting);
  }

  /** Asks the upstreams a question of our own; nothing is kept of the answer. */
  askUpstreams(question: Question): Promise<UpstreamResult> {
    const id = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
    const decoded = decodeQuery(encodeQuestion(question, { id, udpSizeBytes: OWN_UDP_BYTES }));
    if (decoded.kind !== "query") throw new TypeError("Our own question can be read");
    const { promise, resolve } = Promise.withResolvers<UpstreamResult>();
    this.#upstreams.ask(decoded.query, { transport: "tcp" }, resolve);
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#upstreams[Symbol.asyncDispose]();
  }

  #ask(key: string, cacheKey: string, first: Waiting): void {
    const waiting = [first];
    this.#flights.set(key, waiting);
    const { transport } = first.options;
    this.#upstreams.ask(first.query, { transport, objection: this.#objection }, (result) => {
      this.#flights.delete(key);
      if (result.kind === "answer") this.#cache?.keep(cacheKey, result.bytes, performance.now());
      for (const [index, one] of waiting.entries()) {
        one.reply(replyFor(result, one, index === waiting.length - 1));
      }
    });
  }
}

/** @param last Whether nobody needs the answer's bytes afterwards. */
function replyFor(result: UpstreamResult, waiting: Waiting, last: boolean): Uint8Array {
  if (result.kind === "failed") return servfail(waiting.query, result.error);
  const answer = last ? result.bytes : result.bytes.slice();
  return restoreAnswer(answer, waiting.query, waiting.options);
}
