import { NetworkError } from "../../error.ts";
import type { AppRef } from "../../plan/mod.ts";
import type { Right } from "./driver.ts";

/** A right is renewed when less than this part of its life is left. */
const RENEW_FRACTION = 0.25;
const MAX_RIGHTS = 4096;

interface Held {
  readonly right: Right;
  readonly renewAfterMs: number;
}

/** Asks the cluster for a right. */
type RightIssuer = (target: AppRef, port: number) => Promise<Right>;

/**
 * The rights of one login, kept while they last: each is asked for once however many wait for it, and renewed ahead of
 * its end. An app with ports of its own has one for each, any other has one for all.
 */
export class Rights {
  readonly #issue: RightIssuer;
  readonly #nowMs: () => number;
  readonly #held = new Map<string, Held>();
  readonly #issuing = new Map<string, Promise<Right>>();

  constructor(issue: RightIssuer, nowMs: () => number) {
    this.#issue = issue;
    this.#nowMs = nowMs;
  }

  /**
   * Gets the right to one port of an app; one that is still good serves while the cluster cannot be asked.
   *
   * @throws AuthError when the cluster refuses; NetworkError when it cannot be asked.
   */
  async get(target: AppRef, port: number): Promise<Right> {
    const key = `${target.appId}:${target.ports === null ? "any" : port}`;
    const held = this.#held.get(key);
    if (held !== undefined && this.#nowMs() < held.renewAfterMs) return held.right;
    try {
      return await this.#once(key, () => this.#issue(target, port));
    } catch (thrown) {
      const isGood = held !== undefined && this.#nowMs() < held.right.expiresMs;
      if (isGood && thrown instanceof NetworkError) return held.right;
      throw thrown;
    }
  }

  /** Forgets them all. */
  clear(): void {
    this.#held.clear();
  }

  #once(key: string, issue: () => Promise<Right>): Promise<Right> {
    const running = this.#issuing.get(key);
    if (running !== undefined) return running;
    const issuing = issue().then((right) => {
      this.#keep(key, right);
      return right;
    }).finally(() => this.#issuing.delete(key));
    this.#issuing.set(key, issuing);
    return issuing;
  }

  #keep(key: string, right: Right): void {
    const nowMs = this.#nowMs();
    if (this.#held.size >= MAX_RIGHTS) this.#held.clear();
    const lifeMs = right.expiresMs - nowMs;
    this.#held.set(key, { right, renewAfterMs: nowMs + lifeMs * (1 - RENEW_FRACTION) });
  }
}
