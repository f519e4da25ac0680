/** How failures delay the next try. */
interface DelayRule {
  /** Failures that cost nothing. */
  readonly free: number;
  /** The wait after the first failure that does; each further one doubles it. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** Failures are forgotten when there was none for this long. */
  readonly forgetMs: number;
  /** Keys that are kept; beyond it the one whose last failure is oldest is forgotten. */
  readonly maxKeys: number;
}

interface Failures {
  count: number;
  lastMs: number;
}

/**
 * Delays that grow with failures, by key. Tries under way count as failures until they end: a crowd that comes at
 * once gets no more of them than one that comes in a row.
 */
export class GrowingDelay {
  readonly #rule: DelayRule;
  readonly #failed = new Map<string, Failures>();
  readonly #running = new Map<string, number>();

  constructor(rule: DelayRule) {
    this.#rule = rule;
  }

  /** @returns How long a key has to wait for its next try, in milliseconds; 0 if it may. */
  waitMs(key: string, nowMs: number): number {
    const { free, firstMs, maxMs } = this.#rule;
    const failed = this.#of(key, nowMs);
    const count = failed?.count ?? 0;
    const running = this.#running.get(key) ?? 0;
    if (count + running < free) return 0;
    if (count < free || failed === null) return firstMs;
    const delayMs = Math.min(maxMs, firstMs * 2 ** Math.min(count - free, 30));
    const leftMs = failed.lastMs + delayMs - nowMs;
    // Past the free ones it is one at a time
    return leftMs > 0 ? leftMs : running > 0 ? firstMs : 0;
  }

  /** How many failures of a key are remembered. */
  failures(key: string, nowMs: number): number {
    return this.#of(key, nowMs)?.count ?? 0;
  }

  /** A try begins. @returns What to call once at its end. */
  begin(key: string): (outcome: "failed" | "other", nowMs: number) => void {
    this.#running.set(key, (this.#running.get(key) ?? 0) + 1);
    return (outcome, nowMs) => {
      const left = (this.#running.get(key) ?? 1) - 1;
      if (left > 0) this.#running.set(key, left);
      else this.#running.delete(key);
      if (outcome === "failed") this.#fail(key, nowMs);
    };
  }

  forget(key: string): void {
    this.#failed.delete(key);
  }

  #fail(key: string, nowMs: number): void {
    const count = this.failures(key, nowMs) + 1;
    // Deleting first keeps the map in the order of last failure
    this.#failed.delete(key);
    if (this.#failed.size >= this.#rule.maxKeys) {
      const oldest = this.#failed.keys().next();
      if (!oldest.done) this.#failed.delete(oldest.value);
    }
    this.#failed.set(key, { count, lastMs: nowMs });
  }

  #of(key: string, nowMs: number): Failures | null {
    const failed = this.#failed.get(key);
    if (failed === undefined) return null;
    if (nowMs - failed.lastMs < this.#rule.forgetMs) return failed;
    this.#failed.delete(key);
    return null;
  }
}
