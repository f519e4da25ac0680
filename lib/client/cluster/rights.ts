import { NetworkError, VnetError } from "../../error.ts";
import type { AppRef } from "../../plan/mod.ts";
import { readRefusalCode, refusalOf } from "../../refusal/mod.ts";
import { Alarm } from "../alarm.ts";
import type { Right } from "./driver.ts";

/** A right is renewed when so much of its life is left; when exactly is chance, lest many come at one moment. */
const RENEW_FRACTION = { most: 0.35, least: 0.25 };
/** With less of its life left, or less than this, a right is not begun with: it could end on the way. */
const TAIL_FRACTION = 0.05;
const TAIL_MAX_MS = 5_000;
/** A renewal that failed is tried again after this long, then twice that, and so on. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
const MAX_RIGHTS = 4096;

/** By these the cluster's API says no to the right itself; by others, that it cannot be asked. */
const NO_STATUSES: ReadonlySet<number | undefined> = new Set([401, 403, 404]);

interface Held {
  readonly right: Right;
  /** From here on it is not begun with. */
  readonly endMs: number;
  /** Whether a connection took it. */
  isUsed: boolean;
  /** How it is renewed once it was used; `null` for one that is used to its end. */
  readonly renewal: Renewal | null;
}

interface Renewal {
  /** Infinity while it is asked for. */
  atMs: number;
  retryMs: number;
  readonly issue: () => Promise<Right>;
}

/** A right that is asked for. */
interface Issuing {
  readonly right: Promise<Right>;
  /** Whether a connection waits for it. */
  isUsed: boolean;
}

interface How {
  readonly renews: boolean;
  readonly isUsed: boolean;
}

/** Asks the cluster for a right. */
type RightIssuer = (target: AppRef, port: number) => Promise<Right>;

interface RightsOptions {
  readonly issue: RightIssuer;
  /** The same with a second factor, which somebody is asked for; its right is for the one port. */
  readonly confirm: RightIssuer;
  readonly nowMs: () => number;
  /** Evenly from 0 to 1; the machine's if not given. */
  readonly random?: () => number;
}

/**
 * The rights of one login, kept while they last: each is asked for once however many wait for it. One that was used
 * since it was issued is renewed ahead of its end, without anybody waiting: a connection waits only where no right is
 * good. An app with ports of its own has one for each, any other has one for all. One that took a second factor is for
 * its port, and is used to its end: nobody is asked before it is needed.
 */
export class Rights {
  readonly #options: RightsOptions;
  readonly #random: () => number;
  readonly #held = new Map<string, Held>();
  readonly #issuing = new Map<string, Issuing>();
  readonly #alarm: Alarm;
  #isOver = false;

  constructor(options: RightsOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#alarm = new Alarm(options.nowMs, () => this.#renewDue());
  }

  /**
   * Gets the right to one port of an app.
   *
   * @throws AuthError when the cluster refuses, or nobody answers; NetworkError when it cannot be asked.
   */
  async get(target: AppRef, port: number): Promise<Right> {
    const { issue, confirm } = this.#options;
    const key = `${target.appId}:${target.ports === null ? "any" : port}`;
    const confirmedKey = `${target.appId}:${port}:confirmed`;
    const good = this.#use(key) ?? this.#use(confirmedKey);
    if (good !== null) return good;
    try {
      return await this.#once(key, () => issue(target, port), { renews: true, isUsed: true });
    } catch (thrown) {
      if (thrown instanceof VnetError && thrown.code === "mfa-required") {
        const how = { renews: false, isUsed: true };
        return await this.#once(confirmedKey, () => confirm(target, port), how);
      }
      const held = this.#held.get(key);
      const isThere = held !== undefined && this.#options.nowMs() < held.right.expiresMs;
      if (isThere && thrown instanceof NetworkError) return held.right;
      throw thrown;
    }
  }

  /** Forgets one that was not taken. */
  drop(right: Right): void {
    for (const [key, held] of this.#held) if (held.right === right) this.#held.delete(key);
  }

  /** Forgets them all, and renews none any more. */
  clear(): void {
    this.#isOver = true;
    this.#alarm.stop();
    this.#held.clear();
  }

  /** A right that is good; one that is due is renewed meanwhile. */
  #use(key: string): Right | null {
    const held = this.#held.get(key);
    if (held === undefined || this.#options.nowMs() >= held.endMs) return null;
    const isFirst = !held.isUsed;
    held.isUsed = true;
    if (this.#options.nowMs() >= dueMs(held)) this.#renewDue();
    else if (isFirst) this.#plan();
    return held.right;
  }

  #once(key: string, issue: () => Promise<Right>, { renews, isUsed }: How): Promise<Right> {
    const running = this.#issuing.get(key);
    if (running !== undefined) {
      running.isUsed ||= isUsed;
      return running.right;
    }
    const right = issue().then((right) => {
      this.#keep(key, right, { issue: renews ? issue : null, isUsed: issuing.isUsed });
      return right;
    }).finally(() => this.#issuing.delete(key));
    const issuing = { right, isUsed };
    this.#issuing.set(key, issuing);
    return right;
  }

  #keep(
    key: string,
    right: Right,
    { issue, isUsed }: Pick<Held, "isUsed"> & { readonly issue: (() => Promise<Right>) | null },
  ): void {
    if (this.#isOver) return;
    const nowMs = this.#options.nowMs();
    const before = this.#held.get(key);
    if (this.#held.size >= MAX_RIGHTS) this.#held.clear();
    const lifeMs = right.expiresMs - nowMs;
    const { most, least } = RENEW_FRACTION;
    const leftMs = lifeMs * (least + (most - least) * this.#random());
    // One that ends no later than the one before ends with the login.
    const isLast = before !== undefined && right.expiresMs <= before.right.expiresMs;
    this.#held.set(key, {
      right,
      endMs: right.expiresMs - (issue === null ? 0 : Math.min(lifeMs * TAIL_FRACTION, TAIL_MAX_MS)),
      isUsed,
      renewal: issue === null || isLast
        ? null
        : { atMs: right.expiresMs - leftMs, retryMs: RETRY_MIN_MS, issue },
    });
    this.#plan();
  }

  /** Sets the alarm for the next renewal. */
  #plan(): void {
    if (this.#isOver) return;
    let nextMs = Infinity;
    for (const held of this.#held.values()) nextMs = Math.min(nextMs, dueMs(held));
    this.#alarm.set(nextMs === Infinity ? null : nextMs);
  }

  #renewDue(): void {
    const nowMs = this.#options.nowMs();
    for (const [key, held] of [...this.#held]) {
      if (nowMs >= held.right.expiresMs) this.#held.delete(key);
      else if (held.renewal !== null && nowMs >= dueMs(held)) {
        held.renewal.atMs = Infinity; // until it is known what came of it
        void this.#renew(key, held, held.renewal);
      }
    }
    this.#plan();
  }

  async #renew(key: string, held: Held, renewal: Renewal): Promise<void> {
    try {
      await this.#once(key, renewal.issue, { renews: true, isUsed: false });
    } catch (thrown) {
      if (this.#held.get(key) !== held) return;
      if (isNo(thrown)) {
        // The next connection asks, and hears why.
        this.#held.delete(key);
      } else {
        renewal.atMs = this.#options.nowMs() + renewal.retryMs * (1 + this.#random());
        renewal.retryMs = Math.min(renewal.retryMs * 2, RETRY_MAX_MS);
      }
      this.#plan();
    }
  }
}

/** When it is to be renewed; Infinity for not. */
function dueMs({ isUsed, renewal }: Held): number {
  return isUsed && renewal !== null ? renewal.atMs : Infinity;
}

function isNo(thrown: unknown): boolean {
  const code = thrown instanceof VnetError ? readRefusalCode(thrown.code) : null;
  return code !== null && NO_STATUSES.has(refusalOf(code).httpStatus);
}
