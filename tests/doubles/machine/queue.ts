/** Things one after the other, for one who takes them; ends when nothing more comes. */
export class Queue<T> {
  readonly #items: T[] = [];
  #ended = false;
  #news = Promise.withResolvers<void>();

  get ended(): boolean {
    return this.#ended;
  }

  put(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** What is there already can still be taken. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Takes all that is there right now, at most so many. */
  takeNow(count = Infinity): T[] {
    return this.#items.splice(0, Math.min(count, this.#items.length));
  }

  /** Puts the first one back. */
  putBack(item: T): void {
    this.#items.unshift(item);
    this.#wake();
  }

  /** Waits for the next. @returns `null` when it has ended. @throws The signal's reason when it is aborted. */
  async take(signal?: AbortSignal): Promise<T | null> {
    await this.wait(signal);
    return this.takeNow(1)[0] ?? null;
  }

  /** Waits until something is there, or it has ended. @throws The signal's reason when it is aborted. */
  async wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const onAbort = () => this.#wake();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      while (this.#items.length === 0 && !this.#ended) {
        await this.#news.promise;
        signal?.throwIfAborted();
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
