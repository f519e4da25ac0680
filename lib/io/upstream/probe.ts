/**
 * Finding out whether an upstream leads back to us when letter case does not tell: it is asked for a name that
 * nobody else can know, below the one in question. If that name comes in here, it led back.
 *
 * @module
 */
import {
  decodeQuery,
  encodeForward,
  encodeQuestion,
  HEADER_BYTES,
  type Query,
  type Question,
} from "../../dns/mod.ts";
import type { Upstream } from "./upstream.ts";
import type { PortLease, PortListener, SourcePorts } from "./port.ts";

/** No upstream is asked more often than this, whatever makes it suspicious. */
const PAUSE_MS = 5_000;
/** Probes that may be under way; each upstream has one at most. */
const MAX_PROBES = 16;
const PREFIX = "vnet-loop-";
const RANDOM_BYTES = 8;
const LABEL_BYTES = PREFIX.length + 2 * RANDOM_BYTES;
const NAME_MAX_CHARACTERS = 253;

/** The probes that are with upstreams. */
export class LoopProbes {
  readonly #ports: SourcePorts;
  readonly #byLabel = new Map<string, Probe>();

  constructor(ports: SourcePorts) {
    this.#ports = ports;
  }

  /** How many are under way. */
  get size(): number {
    return this.#byLabel.size;
  }

  /** Asks an upstream for an unknowable name below a question's, unless that was done lately. */
  send(upstream: Upstream, query: Query, nowMs: number): void {
    if (nowMs - upstream.probedMs < PAUSE_MS || this.#byLabel.size >= MAX_PROBES) return;
    upstream.probedMs = nowMs;
    const label = PREFIX + this.#ports.randomBytes(RANDOM_BYTES).toHex();
    const probe = new Probe(upstream, () => this.#byLabel.delete(label));
    if (probe.start(this.#ports, probeQuestion(label, query.question))) {
      this.#byLabel.set(label, probe);
    }
  }

  /** @returns The upstream that a client's question is our probe to, or `null` if it is none of ours. */
  find({ bytes }: Query): Upstream | null {
    if (this.#byLabel.size === 0 || bytes[HEADER_BYTES] !== LABEL_BYTES) return null;
    const start = HEADER_BYTES + 1;
    const label = String.fromCharCode(...bytes.subarray(start, start + LABEL_BYTES)).toLowerCase();
    return this.#byLabel.get(label)?.target ?? null;
  }

  /** Another step of the clock: what was not answered for long is let go. */
  tick(nowMs: number): void {
    for (const probe of [...this.#byLabel.values()]) {
      if (nowMs - probe.target.probedMs >= PAUSE_MS) probe.end();
    }
  }

  /** Lets go of all. */
  clear(): void {
    for (const probe of [...this.#byLabel.values()]) probe.end();
  }
}

/** One probe: any answer ends it, for who answers does not ask us. */
class Probe implements PortListener {
  readonly target: Upstream;
  readonly #onEnd: () => void;
  #lease: PortLease | null = null;

  constructor(target: Upstream, onEnd: () => void) {
    this.target = target;
    this.#onEnd = onEnd;
  }

  /** @returns Whether it could be sent. */
  start(ports: SourcePorts, question: Question): boolean {
    const decoded = decodeQuery(encodeQuestion(question, { id: 0 }));
    this.#lease = decoded.kind === "query" ? ports.lease(this) : null;
    if (this.#lease === null || decoded.kind !== "query") return false;
    this.#lease.send(encodeForward(decoded.query, { id: this.#lease.id }));
    return true;
  }

  onDatagram(): void {
    this.end();
  }

  onSendError(): void {
    this.end();
  }

  end(): void {
    this.#lease?.release();
    this.#lease = null;
    this.#onEnd();
  }
}

/** Below the name in question, so that it goes the same way; as far up as there is room for the label. */
function probeQuestion(label: string, { name, type, class: rrClass }: Question): Question {
  let parent = name;
  while (label.length + 1 + parent.length > NAME_MAX_CHARACTERS) {
    const dot = parent.indexOf(".");
    parent = dot < 0 ? "" : parent.slice(dot + 1);
  }
  return { name: parent === "" ? label : `${label}.${parent}`, type, class: rrClass };
}
