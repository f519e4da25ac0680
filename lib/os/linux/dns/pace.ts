/**
 * How often and how fast: events gathered into one look, and fights that end.
 *
 * @module
 */
import { pause } from "../../../wait.ts";

/** Gathers pokes: however many come, the reader looks once, a little later. */
export class Pulse {
  #pending = false;
  #wake: (() => void) | null = null;

  poke(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Waits for a poke, and then for the dust to settle. @returns `false` when aborted */
  async next(settleMs: number, signal: AbortSignal): Promise<boolean> {
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake);
    while (!this.#pending && !signal.aborted) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#wake = null;
    signal.removeEventListener("abort", wake);
    await pause(settleMs, signal);
    this.#pending = false;
    return !signal.aborted;
  }
}

/** How long a fight over a setting goes on: 10 times in 5 s, and again after 30 s of peace. */
export class FightLimit {
  #strikes: number[] = [];
  #restUntilMs = -Infinity;

  /** Asks to strike back. @returns 0 to go ahead, else how many milliseconds to rest */
  strike(nowMs: number): number {
    if (nowMs < this.#restUntilMs) return this.#restUntilMs - nowMs;
    this.#strikes = this.#strikes.filter((at) => nowMs - at < FIGHT_WINDOW_MS);
    if (this.#strikes.length >= FIGHT_STRIKES) {
      this.#strikes = [];
      this.#restUntilMs = nowMs + FIGHT_REST_MS;
      return FIGHT_REST_MS;
    }
    this.#strikes.push(nowMs);
    return 0;
  }
}

const FIGHT_STRIKES = 10;
const FIGHT_WINDOW_MS = 5_000;
const FIGHT_REST_MS = 30_000;
