/** Rings whenever what is asked of a person is different: a number that grows, and a way to wait for that. */
export class Bell {
  #revision = 0;
  #isClosed = false;
  #rung = Promise.withResolvers<void>();

  get revision(): number {
    return this.#revision;
  }

  ring(): void {
    this.#revision++;
    this.#rung.resolve();
    this.#rung = Promise.withResolvers();
  }

  /** Waits until the revision is another one, or the signal fires; not at all once it is closed. */
  async changed(revision: number, signal: AbortSignal): Promise<void> {
    if (this.#revision !== revision || this.#isClosed || signal.aborted) return;
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.race([this.#rung.promise, aborted.promise]);
    signal.removeEventListener("abort", onAbort);
  }

  /** Rings for the last time. */
  close(): void {
    this.#isClosed = true;
    this.ring();
  }
}
