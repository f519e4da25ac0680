import { orAborted } from "../../wait.ts";

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
    await orAborted(this.#rung.promise, signal).catch(() => {}); // whoever waited has gone
  }

  /** Rings for the last time. */
  close(): void {
    this.#isClosed = true;
    this.ring();
  }
}
