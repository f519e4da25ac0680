/**
 * One question on its way through the upstreams, until somebody answers well or the time is over.
 *
 * @module
 */
import {
  type Acceptance,
  acceptAnswer,
  EDE,
  encodeForward,
  type ExtendedError,
  type Query,
  RCODE,
} from "../../dns/mod.ts";
import { formatEndpoint } from "../../ip/mod.ts";
import type { AskOptions, Upstream, UpstreamResult } from "./upstream.ts";
import type { PortLease, PortListener, SourcePorts } from "./port.ts";
import type { TcpConnections } from "./tcp.ts";

/** The clock's step; everything below counts in it. */
export const TICK_MS = 50;
/** Who is silent for so long has the next one asked beside it. */
const NEXT_TICKS = 5;
/** With everybody asked, the first who is silent is asked again, less and less often. */
const REPEAT_AT: readonly number[] = [10, 30, 70];
/** Once somebody has failed, the others have so long from when they were asked to know better. */
const GRACE_TICKS = 40;
/** Those who have answered nothing lately have less. */
const QUIET_GRACE_TICKS = 5;
const QUIET_AFTER = 3;
/** A question that seems to have come back has its silent upstreams probed then. */
const PROBE_TICKS = 5;
/** 4.5 s: before the C library asks again, after 5 s. */
const DEADLINE_TICKS = 90;
const CASE_BYTES = 32;
const NO_BYTES = new Uint8Array();
const LEADS_BACK: ExtendedError = {
  code: EDE.NETWORK_ERROR,
  text: "an upstream resolver leads back to this server",
};

/** Not the last word while another can be asked. */
const SOFT_RCODES: ReadonlySet<number> = new Set([
  RCODE.FORMERR,
  RCODE.SERVFAIL,
  RCODE.NOTIMP,
  RCODE.REFUSED,
]);

/** What a question needs of its surroundings. */
interface AskingContext {
  readonly ports: SourcePorts;
  readonly tcp: TcpConnections;
  /** Finds out whether an upstream leads back to us. @param onBack Called if it does for the name in question. */
  readonly probe: (upstream: Upstream, onBack: () => void) => void;
  /** Takes care of work that outlives the call. */
  readonly background: (work: Promise<void>) => void;
  /** Called once; the winner is the upstream that answered well. */
  readonly done: (result: UpstreamResult, winner: Upstream | null) => void;
}

/** A question and its attempts. */
export class Asking {
  readonly query: Query;
  readonly options: AskOptions;
  readonly context: AskingContext;
  readonly #upstreams: readonly Upstream[];
  readonly #attempts = new Set<Attempt>();
  #asked = 0;
  #ticks = 0;
  #over = false;
  #failure: UpstreamResult | null = null;
  /** An equal question came in meanwhile: it may be this one, gone in a circle. */
  #suspected = false;

  constructor(
    query: Query,
    options: AskOptions,
    upstreams: readonly Upstream[],
    context: AskingContext,
  ) {
    this.query = query;
    this.options = options;
    this.context = context;
    this.#upstreams = upstreams;
  }

  /** Asks the first. */
  start(): void {
    if (!this.#askNext()) this.#end(this.#unreachable(), null);
  }

  /** How many steps of the clock it has been under way. */
  get ticks(): number {
    return this.#ticks;
  }

  /** Another step of the clock. */
  tick(): void {
    if (++this.#ticks >= DEADLINE_TICKS) {
      this.#end(this.#failure ?? this.#silence(), null);
    } else if (this.#asked < this.#upstreams.length) {
      if (this.#ticks % NEXT_TICKS === 0) this.#askNext();
    } else if (this.#hasFailedWords() && [...this.#attempts].every((one) => one.hadItsTime)) {
      this.#end(this.#failure ?? this.#silence(), null);
    } else if (REPEAT_AT.includes(this.#ticks)) {
      const [silent] = this.#attempts;
      if (silent !== undefined) this.#attempt(silent.target);
    }
    if (this.#suspected && !this.#over && this.#ticks >= PROBE_TICKS) this.#probe();
  }

  /** Takes note that a client asks the same, as an upstream that leads back would have it. */
  suspect(): void {
    this.#suspected = true;
  }

  /** Expects nothing more of an upstream. */
  giveUp(upstream: Upstream): void {
    const error = LEADS_BACK;
    for (const attempt of [...this.#attempts]) {
      if (attempt.target === upstream) this.failed(attempt, { kind: "failed", error });
    }
  }

  /** Ends it without an answer. */
  fail(error: ExtendedError): void {
    this.#end({ kind: "failed", error }, null);
  }

  /** An attempt has an answer, which is not necessarily good. */
  answered(attempt: Attempt, bytes: Uint8Array, acceptance: Acceptance): void {
    const result = { kind: "answer", bytes } as const;
    if (SOFT_RCODES.has(acceptance.rcode)) {
      this.failed(attempt, result);
      return;
    }
    const objection = this.options.objection?.(bytes) ?? null;
    if (objection === null) this.#end(result, attempt.target);
    else this.failed(attempt, { kind: "failed", error: objection });
  }

  /** An attempt came to nothing: another upstream is asked at once. */
  failed(attempt: Attempt, result: UpstreamResult): void {
    if (!this.#attempts.delete(attempt)) return;
    attempt.end();
    // an upstream's own words say more than ours
    if (this.#failure?.kind !== "answer") this.#failure = result;
    if (!this.#askNext() && this.#attempts.size === 0) this.#end(this.#failure, null);
  }

  /** @returns Whether there was anybody left to ask. */
  #askNext(): boolean {
    for (let next = this.#upstreams[this.#asked]; next !== undefined;) {
      this.#asked++;
      if (isEnabled(next) && this.#attempt(next)) return true;
      next = this.#upstreams[this.#asked];
    }
    return false;
  }

  #attempt(upstream: Upstream): boolean {
    const before = [...this.#attempts].find(({ target }) => target === upstream);
    const attempt = new Attempt(this, upstream, before?.askedAt ?? this.#ticks);
    if (!attempt.start()) return false;
    this.#attempts.add(attempt);
    return true;
  }

  /** Whether an upstream has said itself that it has no answer: what failed here says nothing of the others. */
  #hasFailedWords(): boolean {
    return this.#failure?.kind === "answer";
  }

  #probe(): void {
    this.#suspected = false;
    for (const target of new Set([...this.#attempts].map(targetOf))) {
      this.context.probe(target, () => this.giveUp(target));
    }
  }

  #end(result: UpstreamResult, winner: Upstream | null): void {
    if (this.#over) return;
    this.#over = true;
    for (const upstream of new Set([...this.#attempts].filter(isSilent).map(targetOf))) {
      upstream.unanswered++;
    }
    for (const attempt of this.#attempts) attempt.end();
    this.#attempts.clear();
    this.context.done(result, winner);
  }

  #silence(): UpstreamResult {
    const text = `upstream ${this.#names()} did not answer`;
    return { kind: "failed", error: { code: EDE.NO_REACHABLE_AUTHORITY, text } };
  }

  #unreachable(): UpstreamResult {
    const text = `upstream ${this.#names()} cannot be reached`;
    return { kind: "failed", error: { code: EDE.NETWORK_ERROR, text } };
  }

  #names(): string {
    return this.#upstreams.map(({ endpoint }) => formatEndpoint(endpoint)).join(", ");
  }
}

/** The question, sent to one upstream once. */
class Attempt implements PortListener {
  readonly target: Upstream;
  readonly #asking: Asking;
  /** The step of the clock at which its upstream was asked first. */
  readonly askedAt: number;
  #answered = false;
  #lease: PortLease | null = null;
  #bytes = NO_BYTES;
  #tcp: AbortController | null = null;

  constructor(asking: Asking, target: Upstream, askedAt: number) {
    this.#asking = asking;
    this.target = target;
    this.askedAt = askedAt;
  }

  /** Whether it has waited long enough for one whose answer may only be better than a failure. */
  get hadItsTime(): boolean {
    const isQuiet = this.target.unanswered >= QUIET_AFTER;
    const grace = isQuiet ? QUIET_GRACE_TICKS : GRACE_TICKS;
    return this.#asking.ticks - this.askedAt >= grace;
  }

  /** Whether nothing at all was heard of it for so long that it counts as silent. */
  get isSilent(): boolean {
    return !this.#answered && this.#asking.ticks - this.askedAt >= QUIET_GRACE_TICKS;
  }

  /** @returns Whether it could be tried at all. */
  start(): boolean {
    const { query, context } = this.#asking;
    const lease = context.ports.lease(this);
    if (lease === null) return false;
    this.#lease = lease;
    const { id } = lease;
    this.#bytes = this.target.folds
      ? encodeForward(query, { id })
      : encodeForward(query, { id, caseBits: context.ports.randomBytes(CASE_BYTES) });
    lease.send(this.#bytes);
    return true;
  }

  onDatagram(bytes: Uint8Array): void {
    const acceptance = acceptAnswer(bytes, this.#bytes, this.#asking.query);
    if (acceptance === null || this.#tcp !== null) return;
    this.#answered = true;
    this.target.unanswered = 0;
    if (acceptance.folded) this.target.folds = true;
    if (acceptance.truncated && this.#asking.options.transport === "tcp") this.#askOverTcp();
    else this.#asking.answered(this, bytes, acceptance);
  }

  onSendError(): void {
    this.#fail("cannot be reached");
  }

  /** Lets go of everything it holds. */
  end(): void {
    this.#lease?.release();
    this.#tcp?.abort();
  }

  #askOverTcp(): void {
    const asking = this.#asking;
    this.#tcp = new AbortController();
    const { signal } = this.#tcp;
    const { query, context: { tcp } } = asking;
    const asked = tcp.ask(query, this.#bytes, this.target, signal).then((answer) => {
      if (answer === null) this.#fail("did not answer over TCP");
      else asking.answered(this, answer.bytes, answer.acceptance);
    });
    asking.context.background(asked);
  }

  #fail(how: string): void {
    const text = `upstream ${formatEndpoint(this.target.endpoint)} ${how}`;
    this.#asking.failed(this, { kind: "failed", error: { code: EDE.NETWORK_ERROR, text } });
  }
}

function isSilent(attempt: Attempt): boolean {
  return attempt.isSilent;
}

function targetOf({ target }: Attempt): Upstream {
  return target;
}

function isEnabled(upstream: Upstream): boolean {
  return upstream.disabledUntilMs <= performance.now();
}
