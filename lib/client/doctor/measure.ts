import { describeError } from "../../error.ts";
import type { Measured } from "../../health/mod.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../wait.ts";

/** How long one measurement may take. */
const MEASURE_MS = 2_000;

/** A measurement that was tried, for the report. */
export interface Attempt {
  readonly name: string;
  readonly elapsedMs: number;
  /** Why it gave nothing; `null` when it did. */
  readonly reason: string | null;
}

/** Measures, each with a deadline of its own, and keeps a list of what was tried. */
export class Meter {
  readonly #signal: AbortSignal;
  readonly #attempts: Attempt[] = [];

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** What was tried so far, by name. */
  get attempts(): readonly Attempt[] {
    return this.#attempts.toSorted((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Measures one thing. Never throws: what failed or took too long is unknown, with the reason. */
  async measure<T>(
    name: string,
    act: (signal: AbortSignal) => T | Promise<T>,
    deadlineMs = MEASURE_MS,
  ): Promise<Measured<T>> {
    const begin = performance.now();
    const measured = await this.#try(act, deadlineMs);
    this.#attempts.push({
      name,
      elapsedMs: Math.round(performance.now() - begin),
      reason: measured.kind === "unknown" ? measured.reason : null,
    });
    return measured;
  }

  async #try<T>(
    act: (signal: AbortSignal) => T | Promise<T>,
    deadlineMs: number,
  ): Promise<Measured<T>> {
    try {
      const value = await withDeadline(
        deadlineMs,
        this.#signal,
        (signal) => orAborted((async () => await act(signal))(), signal),
      );
      return { kind: "measured", value };
    } catch (thrown) {
      const reason = thrown instanceof DeadlinePassed
        ? `could not be measured within ${deadlineMs} ms`
        : thrown instanceof Unmeasured
        ? thrown.message
        : `could not be measured: ${describeError(thrown)}`;
      return { kind: "unknown", reason };
    }
  }
}

/** Thrown by a measurement that knows why it gives nothing; the message is the reason. */
export class Unmeasured extends Error {
  override readonly name = "Unmeasured";
}

/** Passes a value on, or the reason why there is none. */
export function required<T>(measured: Measured<T>): T {
  if (measured.kind === "measured") return measured.value;
  throw new Unmeasured(measured.reason);
}
