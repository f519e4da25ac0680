import { describeError } from "../../../error.ts";
import { getLogger } from "../../../log.ts";
import type { FlowEvent, ReportRefusal } from "../../../wire/mod.ts";

const log = getLogger("server", "auth");

/** Ends that wait for one root. */
const MAX_WAITING = 10_000;
/** Ends that are told at a time. */
const AT_ONCE = 200;

/** Tells a root what happened to flows of its users. @returns What the root does not believe. */
export type RootReport = (events: readonly FlowEvent[]) => Promise<readonly ReportRefusal[]>;

/** Ends of flows that roots are to be told of: kept until they were, the oldest forgotten first. */
export class WaitingEnds {
  readonly #max: number;
  readonly #waiting = new Map<string, FlowEvent[]>();
  readonly #telling = new Set<string>();
  #lost = 0;

  constructor(max: number = MAX_WAITING) {
    this.#max = max;
  }

  add(root: string, event: FlowEvent): void {
    const waiting = this.#waiting.get(root) ?? [];
    this.#waiting.set(root, waiting);
    waiting.push(event);
    if (waiting.length <= this.#max) return;
    waiting.shift();
    if (this.#lost++ % this.#max === 0) {
      log.error("A root is not told of all ends: too many wait for it", { root });
    }
  }

  forget(root: string): void {
    this.#waiting.delete(root);
  }

  /** Tells a root of all that waits, as far as it can be told. Never rejects; one call of each root is at work. */
  async tell(root: string, report: RootReport): Promise<void> {
    if (this.#telling.has(root)) return;
    this.#telling.add(root);
    try {
      for (;;) {
        const events = this.#waiting.get(root)?.slice(0, AT_ONCE) ?? [];
        if (events.length === 0) return;
        // What the root does not believe it will not believe later
        await report(events);
        const told = new Set(events);
        const left = (this.#waiting.get(root) ?? []).filter((event) => !told.has(event));
        if (left.length === 0) this.#waiting.delete(root);
        else this.#waiting.set(root, left);
      }
    } catch (thrown) {
      log.warning("Cannot tell a root of ends; they wait", { root, error: describeError(thrown) });
    } finally {
      this.#telling.delete(root);
    }
  }
}
