/** Whose turn it is first: those who proved themselves before, those without failures, those with. */
export type Lane = "known" | "clean" | "failed";

const LANES: readonly Lane[] = ["known", "clean", "failed"];
/** One turn in so many goes to those with failures while others wait: who mistyped must not wait for ever. */
const FAILED_TURN = 4;

interface QueueRule {
  /** How many have their turn at a time. */
  readonly running: number;
  /** Places to wait in, of each lane on its own: what one lane fills is no other's. */
  readonly waiting: Readonly<Record<Lane, number>>;
}

interface Waiting {
  readonly resolve: (turn: boolean) => void;
}

/**
 * A queue in which a crowd of one network waits behind itself: networks take turns, and where a lane is full the one
 * with the most in it gives up its latest place to whoever has fewer.
 */
export class FairQueue {
  readonly #rule: QueueRule;
  readonly #lanes: Readonly<Record<Lane, LaneQueue>>;
  #running = 0;
  #turns = 0;
  #isClosed = false;

  constructor(rule: QueueRule) {
    this.#rule = rule;
    this.#lanes = {
      known: new LaneQueue(rule.waiting.known),
      clean: new LaneQueue(rule.waiting.clean),
      failed: new LaneQueue(rule.waiting.failed),
    };
  }

  /** Waits for a turn, to be given back by {@link leave}. @returns `false` if there is no place to wait, or no more. */
  enter(lane: Lane, network: string): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#running < this.#rule.running) {
      this.#running++;
      return Promise.resolve(true);
    }
    return this.#lanes[lane].wait(network);
  }

  /** Gives a turn back: it goes straight to whoever is next, so that nobody slips in between. */
  leave(): void {
    const next = this.#next();
    if (next === null) this.#running--;
    else next.resolve(true);
  }

  /** Sends everybody who waits away, and who comes. */
  close(): void {
    this.#isClosed = true;
    for (let next = this.#next(); next !== null; next = this.#next()) next.resolve(false);
  }

  #next(): Waiting | null {
    this.#turns++;
    const order = this.#turns % FAILED_TURN === 0 ? ["known", "failed", "clean"] as const : LANES;
    for (const lane of order) {
      const next = this.#lanes[lane].shift();
      if (next !== null) return next;
    }
    return null;
  }
}

/** Networks in the order of their turns, each with who waits of it. */
class LaneQueue {
  readonly #places: number;
  readonly #networks = new Map<string, Waiting[]>();
  #size = 0;

  constructor(places: number) {
    this.#places = places;
  }

  wait(network: string): Promise<boolean> {
    if (this.#size >= this.#places && !this.#pushOut(network)) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting = this.#networks.get(network);
    if (waiting === undefined) this.#networks.set(network, [{ resolve }]);
    else waiting.push({ resolve });
    this.#size++;
    return promise;
  }

  shift(): Waiting | null {
    const first = this.#networks.entries().next();
    if (first.done) return null;
    const [network, waiting] = first.value;
    const next = waiting.shift() ?? null;
    this.#networks.delete(network);
    if (waiting.length > 0) this.#networks.set(network, waiting);
    this.#size--;
    return next;
  }

  /** Makes room for a network at the cost of one that has more. */
  #pushOut(newcomer: string): boolean {
    const own = (this.#networks.get(newcomer)?.length ?? 0) + 1;
    let most: Waiting[] | null = null;
    for (const waiting of this.#networks.values()) {
      if (waiting.length > (most?.length ?? own)) most = waiting;
    }
    const out = most?.pop();
    if (out === undefined) return false;
    this.#size--;
    out.resolve(false);
    return true;
  }
}
