/** How often to do something again: so many times within so long, then rest until that long has passed. */
export class Patience {
  readonly #times: number;
  readonly #windowMs: number;
  #spent: readonly number[] = [];

  constructor({ times, windowMs }: { readonly times: number; readonly windowMs: number }) {
    this.#times = times;
    this.#windowMs = windowMs;
  }

  /** Asks to do it once more. @returns 0 to go ahead, else how many milliseconds to rest first. */
  spend(nowMs: number): number {
    this.#spent = this.#spent.filter((at) => nowMs - at < this.#windowMs);
    const [first] = this.#spent;
    if (first !== undefined && this.#spent.length >= this.#times) {
      return first + this.#windowMs - nowMs;
    }
    this.#spent = [...this.#spent, nowMs];
    return 0;
  }
}
