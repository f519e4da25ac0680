/**
 * How long an agent waits before it tries again, and what it says of that.
 *
 * @module
 */

/** The first waits are 50 to 200 ms: a server that restarts is back before anybody notices. */
const FIRST_MS = 100;
const GROWTH = 1.6;
/** For a minute or two an agent stays close: waits of 0.3 to 1.2 s. After that the server is down for longer. */
const CLOSE_MS = 600;
const CLOSE_TRIES = 100;
const FAR_MS = 15_000;

/**
 * The wait before a try, in milliseconds; each agent's is another, so that they do not come all at once.
 *
 * @param failed How many tries in a row have failed; 0 when what was lost had worked.
 * @param chance From 0 to 1.
 */
export function retryDelayMs(failed: number, chance: number): number {
  const close = Math.min(FIRST_MS * GROWTH ** Math.min(failed, CLOSE_TRIES), CLOSE_MS);
  const far = Math.min(CLOSE_MS * GROWTH ** Math.max(0, failed - CLOSE_TRIES), FAR_MS);
  return (failed < CLOSE_TRIES ? close : far) * (0.5 + chance * 1.5);
}

/** What is said of something that is tried again and again: a reason once, until there is another. */
export class Complaint {
  #told: string | null = null;

  /** Whether a reason is to be told; it is then. */
  isNew(reason: string): boolean {
    const isNew = reason !== this.#told;
    this.#told = reason;
    return isNew;
  }

  /** What was tried has worked. @returns Whether a reason was told why it did not. */
  end(): boolean {
    const wasTold = this.#told !== null;
    this.#told = null;
    return wasTold;
  }
}
