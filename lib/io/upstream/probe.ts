/**
 * Finding out whether an upstream leads back to us: it is asked for names that nobody else can know. If one comes in
 * here, it led back.
 *
 * The first name is all our own, and only that proves something of the upstream as a whole: no server that a client's
 * name leads to ever sees it. Who answers it may still lead back in one zone, so the second is below the name in
 * question. The servers of that zone see it and could have it asked here: it proves something of that question alone.
 *
 * @module
 */
import {
  decodeQuery,
  encodeForward,
  encodeQuestion,
  type Query,
  type Question,
} from "../../dns/mod.ts";
import type { Upstream } from "./upstream.ts";
import type { PortLease, PortListener, SourcePorts } from "./port.ts";

/** No upstream is asked more often than this, whatever makes it suspicious; no probe lives longer. */
const PAUSE_MS = 5_000;
/** Probes that may be under way; each upstream has one at most. */
const MAX_PROBES = 16;
const PREFIX = "vnet-loop-";
const RANDOM_BYTES = 16;
const NAME_MAX_CHARACTERS = 253;

interface ProbeOptions {
  readonly nowMs: number;
  /** Called if the upstream leads back to us. */
  readonly onLoop: () => void;
  /** Called if it does for names below the one in question. */
  readonly onBack: () => void;
}

/** The probes that are with upstreams. */
export class LoopProbes {
  readonly #ports: SourcePorts;
  readonly #byName = new Map<string, Probe>();

  constructor(ports: SourcePorts) {
    this.#ports = ports;
  }

  /** How many are under way. */
  get size(): number {
    return this.#byName.size;
  }

  /** Asks an upstream for names that nobody can know, unless that was done lately. */
  send(upstream: Upstream, { question }: Query, options: ProbeOptions): void {
    const { nowMs, onLoop, onBack } = options;
    if (nowMs - upstream.probedMs < PAUSE_MS || this.#byName.size >= MAX_PROBES) return;
    upstream.probedMs = nowMs;
    // Two labels: some forwarders keep single ones to themselves. A zone for tests, resolvers would.
    const own = { ...question, name: `${this.#label()}.${this.#label()}` };
    const below = { ...question, name: nameBelow(question.name, this.#label()) };
    this.#start(upstream, own, onLoop, () => this.#start(upstream, below, onBack));
  }

  /** Tells whether a client's question is a probe of ours; if so, its upstream was found out and the probe is over. */
  take({ question }: Query): boolean {
    const probe = this.#byName.size === 0 ? undefined : this.#byName.get(keyOf(question));
    probe?.back();
    return probe !== undefined;
  }

  /** Another step of the clock: what was not answered for long is let go. */
  tick(nowMs: number): void {
    for (const probe of [...this.#byName.values()]) {
      if (nowMs - probe.target.probedMs >= PAUSE_MS) probe.end();
    }
  }

  /** Lets go of all. */
  clear(): void {
    for (const probe of [...this.#byName.values()]) probe.end();
  }

  #start(target: Upstream, question: Question, onBack: () => void, onAnswer = () => {}): void {
    const key = keyOf(question);
    const probe = new Probe({ target, onBack, onAnswer, onEnd: () => this.#byName.delete(key) });
    if (probe.start(this.#ports, question)) this.#byName.set(key, probe);
  }

  #label(): string {
    return PREFIX + this.#ports.randomBytes(RANDOM_BYTES).toHex();
  }
}

interface ProbeEvents {
  readonly target: Upstream;
  readonly onBack: () => void;
  readonly onAnswer: () => void;
  readonly onEnd: () => void;
}

/** One probe: any answer ends it, for who answers does not ask us. */
class Probe implements PortListener {
  readonly target: Upstream;
  readonly #events: ProbeEvents;
  #lease: PortLease | null = null;

  constructor(events: ProbeEvents) {
    this.target = events.target;
    this.#events = events;
  }

  /** @returns Whether it could be sent. */
  start(ports: SourcePorts, question: Question): boolean {
    const decoded = decodeQuery(encodeQuestion(question, { id: 0 }));
    this.#lease = decoded.kind === "query" ? ports.lease(this) : null;
    if (this.#lease === null || decoded.kind !== "query") return false;
    this.#lease.send(encodeForward(decoded.query, { id: this.#lease.id }));
    return true;
  }

  /** It came in here. */
  back(): void {
    this.end();
    this.#events.onBack();
  }

  onDatagram(): void {
    this.end();
    this.#events.onAnswer();
  }

  onSendError(): void {
    this.end();
  }

  end(): void {
    this.#lease?.release();
    this.#lease = null;
    this.#events.onEnd();
  }
}

function keyOf({ name }: Question): string {
  return name.toLowerCase();
}

/** Goes the same way as the name in question; as far up as there is room for the label. */
function nameBelow(name: string, label: string): string {
  let parent = name;
  while (label.length + 1 + parent.length > NAME_MAX_CHARACTERS) {
    const dot = parent.indexOf(".");
    parent = dot < 0 ? "" : parent.slice(dot + 1);
  }
  return parent === "" ? label : `${label}.${parent}`;
}
