/** Kinds that are told apart; what is beyond them is counted as `other`. */
const MAX_KINDS = 32;

/** Counts what happens too often for a line each. */
export class Tally {
  #counts = new Map<string, number>();

  /** @returns Whether it is the first of its kind since the last time. */
  add(kind: string): boolean {
    const known = this.#counts.has(kind) || this.#counts.size < MAX_KINDS ? kind : "other";
    const count = (this.#counts.get(known) ?? 0) + 1;
    this.#counts.set(known, count);
    return count === 1;
  }

  /** @returns What was counted since the last time, by kind; `null` if nothing was. */
  drain(): Readonly<Record<string, number>> | null {
    if (this.#counts.size === 0) return null;
    const counts = Object.fromEntries([...this.#counts].sort(([a], [b]) => a < b ? -1 : 1));
    this.#counts = new Map();
    return counts;
  }
}
