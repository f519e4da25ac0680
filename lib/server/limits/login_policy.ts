import type { Source } from "../../ip/mod.ts";
import type { Lane } from "./fair_queue.ts";
import { GrowingDelay } from "./growing_delay.ts";
import { SourceBuckets, TokenBuckets } from "./token_buckets.ts";

const MINUTE_MS = 60_000;

/** Attempts by one source, whoever they are for. */
const ATTEMPTS = { burst: 30, perSecond: 0.5 };

/** Of one user, whoever fails: as many failures as cost nothing, then a wait that ends within a minute. */
const USER = {
  free: 10,
  firstMs: 1000,
  maxMs: MINUTE_MS,
  forgetMs: 30 * MINUTE_MS,
  maxKeys: 10_000,
};
/** Of one source, whomever it names: an office with many users mistypes more. */
const SOURCE = { ...USER, free: 20 };
/** A network is many sources; of an IPv6 /48 one owner has 256 sites. */
const NETWORK = { ...USER, free: 60 };

/** A login that wants to be tried. */
interface Wish {
  /** As typed; whether there is such a user must not matter here. */
  readonly user: string;
  readonly source: Source;
  /** Whether this user has logged in from this host before. */
  readonly isKnown: boolean;
}

/** A try that may go on. */
export interface LoginTry {
  readonly kind: "go";
  readonly lane: Lane;
  /** To be called once. */
  readonly end: (outcome: "failed" | "other", nowMs: number) => void;
}

type Verdict = LoginTry | {
  readonly kind: "wait";
  readonly why: "user" | "source";
  readonly ms: number;
};

/**
 * Decides whether a login is tried, before anything dear is done. What others do in a user's name, or around their
 * host, does not touch a user where they have logged in before: there only the lockout of the pair holds.
 */
export class LoginPolicy {
  readonly #attempts = new SourceBuckets(ATTEMPTS);
  readonly #knownAttempts = new TokenBuckets(ATTEMPTS);
  readonly #users = new GrowingDelay(USER);
  readonly #hosts = new GrowingDelay(SOURCE);
  readonly #sites = new GrowingDelay(SOURCE);
  readonly #networks = new GrowingDelay(NETWORK);

  begin({ user, source, isKnown }: Wish, nowMs: number): Verdict {
    if (isKnown) return this.#beginKnown(`${user} ${source.host}`, nowMs);
    const levels = [
      [this.#hosts, source.host],
      [this.#sites, source.site],
      [this.#networks, source.network],
    ] as const;
    const sourceMs = Math.max(
      ...levels.map(([delay, key]) => delay.waitMs(key, nowMs)),
      this.#attempts.take(source, nowMs),
    );
    if (sourceMs > 0) return { kind: "wait", why: "source", ms: sourceMs };
    const userMs = this.#users.waitMs(user, nowMs);
    if (userMs > 0) return { kind: "wait", why: "user", ms: userMs };
    const isClean = levels.every(([delay, key]) => delay.failures(key, nowMs) === 0);
    const ends = [...levels, [this.#users, user] as const].map(([delay, key]) => delay.begin(key));
    return {
      kind: "go",
      lane: isClean ? "clean" : "failed",
      end: (outcome, atMs) => ends.forEach((end) => end(outcome, atMs)),
    };
  }

  /** An administrator gave the user a new start. */
  forgive(user: string): void {
    this.#users.forget(user);
  }

  #beginKnown(pair: string, nowMs: number): Verdict {
    const ms = this.#knownAttempts.take(pair, nowMs);
    return ms > 0
      ? { kind: "wait", why: "source", ms }
      : { kind: "go", lane: "known", end: () => {} };
  }
}
