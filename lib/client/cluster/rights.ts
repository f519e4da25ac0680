import { NetworkError, VnetError } from "../../error.ts";
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

interface RightsOptions {
  readonly issue: RightIssuer;
  /** The same with a second factor, which somebody is asked for; its right is for the one port. */
  readonly confirm: RightIssuer;
  readonly nowMs: () => number;
}

/**
 * The rights of one login, kept while they last: each is asked for once however many wait for it, and renewed ahead of
 * its end. An app with ports of its own has one for each, any other has one for all. One that took a second factor is
 * for its port, and is used to its end: nobody is asked before it is needed.
 */
export class Rights {
  readonly #options: RightsOptions;
  readonly #held = new Map<string, Held>();
  readonly #issuing = new Map<string, Promise<Right>>();

  constructor(options: RightsOptions) {
    this.#options = options;
  }

  /**
   * Gets the right to one port of an app; one that is still good serves while the cluster cannot be asked.
   *
   * @throws AuthError when the cluster refuses, or nobody answers; NetworkError when it cannot be asked.
   */
  async get(target: AppRef, port: number): Promise<Right> {
    const { issue, confirm, nowMs } = this.#options;
    const key = `${target.appId}:${target.ports === null ? "any" : port}`;
    const confirmedKey = `${target.appId}:${port}:confirmed`;
    for (const held of [this.#held.get(key), this.#held.get(confirmedKey)]) {
      if (held !== undefined && nowMs() < held.renewAfterMs) return held.right;
    }
    const held = this.#held.get(key);
    try {
      return await this.#once(key, RENEW_FRACTION, () => issue(target, port));
    } catch (thrown) {
      if (thrown instanceof VnetError && thrown.code === "mfa-required") {
        this.#held.delete(key);
        return await this.#once(confirmedKey, 0, () => confirm(target, port));
      }
      const isGood = held !== undefined && nowMs() < held.right.expiresMs;
      if (isGood && thrown instanceof NetworkError) return held.right;
      throw thrown;
    }
  }

  /** Forgets them all. */
  clear(): void {
    this.#held.clear();
  }

  #once(key: string, renewFraction: number, issue: () => Promise<Right>): Promise<Right> {
    const running = this.#issuing.get(key);
    if (running !== undefined) return running;
    const issuing = issue().then((right) => {
      this.#keep(key, right, renewFraction);
      return right;
    }).finally(() => this.#issuing.delete(key));
    this.#issuing.set(key, issuing);
    return issuing;
  }

  #keep(key: string, right: Right, renewFraction: number): void {
    const nowMs = this.#options.nowMs();
    if (this.#held.size >= MAX_RIGHTS) this.#held.clear();
    const lifeMs = right.expiresMs - nowMs;
    this.#held.set(key, { right, renewAfterMs: nowMs + lifeMs * (1 - renewFraction) });
  }
}
