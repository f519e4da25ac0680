/** Clocks are set and machines sleep: however far off the moment is, the clock is looked at this often. */
const LOOK_MAX_MS = 60_000;

/** Rings once at a moment of the wall clock, soon after it even when the clock was set or the machine slept. */
export class Alarm {
  readonly #nowMs: () => number;
  readonly #ring: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(nowMs: () => number, ring: () => void) {
    this.#nowMs = nowMs;
    this.#ring = ring;
  }

  /** Takes the place of the moment before. @param atMs Since 1970; `null` for never. */
  set(atMs: number | null): void {
    this.stop();
    if (atMs === null) return;
    const delayMs = Math.min(Math.max(atMs - this.#nowMs(), 0) + 1, LOOK_MAX_MS);
    this.#timer = setTimeout(() => {
      if (this.#nowMs() < atMs) this.set(atMs);
      else this.#ring();
    }, delayMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
