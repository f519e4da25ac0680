/**
 * Notices that the network is another: links, addresses and routes by rtnetlink, sleep and clocks that are set by
 * looking at the clocks.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import type { Machine } from "../../os/mod.ts";
import { pause } from "../../wait.ts";
import { clockJump } from "./clock_jump.ts";
import { describeWays } from "./surroundings.ts";

const log = getLogger("client", "network");

/** Why the network may be another: the ways out of the machine, or time in which anything may have happened. */
export type NetworkChange = "ways" | "slept" | "clock-set";

/** Whoever reconfigures a network takes several steps; a little later they are through. */
const SETTLE_MS = 200;
/** How often the clocks are looked at. */
const CLOCK_MS = 2_000;
/** Changes that follow one another are told of so often at most, and less and less often while they go on. */
const SPACING_MIN_MS = 500;
const SPACING_MAX_MS = 30_000;

interface NetworkKeeperOptions {
  readonly machine: Pick<Machine, "routing" | "clocks">;
  /** Our own link, whose changes are no news; `null` for none. */
  readonly ownIfindex: () => number | null;
  readonly onChange: (why: NetworkChange) => void;
  /** How often the clocks are looked at, if not every two seconds. */
  readonly clockMs?: number;
  /** A clock that never goes back; the machine's if not given. */
  readonly nowMs?: () => number;
}

/** Follows the network until it is closed. */
export class NetworkKeeper implements AsyncDisposable {
  readonly #options: NetworkKeeperOptions;
  readonly #stop = new AbortController();
  readonly #following: Promise<unknown>;
  readonly #nowMs: () => number;
  /** `null` while they could not be read yet. */
  #ways: string | null;
  #waiting: NetworkChange | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #spacingMs = SPACING_MIN_MS;
  #toldMs = -Infinity;

  constructor(options: NetworkKeeperOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#ways = this.#describe();
    this.#following = Promise.all([this.#followWays(), this.#followClocks()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#following;
  }

  async #followWays(): Promise<void> {
    const { signal } = this.#stop;
    try {
      await using watch = this.#options.machine.routing.watch();
      while (await watch.next(signal)) {
        this.#look(); // at once: what goes and comes back is another network all the same
        await pause(SETTLE_MS, signal);
        if (!signal.aborted) this.#look();
      }
    } catch (thrown) {
      if (!signal.aborted) {
        log.warning("Cannot follow the network", { error: describeError(thrown) });
      }
    }
  }

  async #followClocks(): Promise<void> {
    const { machine: { clocks }, clockMs = CLOCK_MS } = this.#options;
    const { signal } = this.#stop;
    for (let before = clocks.read(); !signal.aborted;) {
      await pause(clockMs, signal);
      const now = clocks.read();
      const jump = clockJump(before, now);
      before = now;
      if (jump !== null && !signal.aborted) this.#tell(jump.kind);
    }
  }

  #look(): void {
    if (this.#waiting !== null) return; // it is looked when that is told of
    const ways = this.#describe();
    if (ways === null || ways === this.#ways) return;
    this.#ways = ways;
    this.#tell("ways");
  }

  /** @returns `null` if they cannot be read */
  #describe(): string | null {
    const { machine, ownIfindex } = this.#options;
    try {
      return describeWays(machine, ownIfindex());
    } catch (thrown) {
      log.debug("Cannot read the routes", { error: describeError(thrown) });
      return null;
    }
  }

  /** Tells at once, or when the last time is long enough ago; the last change is always told of. */
  #tell(why: NetworkChange): void {
    if (this.#waiting !== null) return;
    const sinceMs = this.#nowMs() - this.#toldMs;
    this.#spacingMs = sinceMs < this.#spacingMs
      ? Math.min(this.#spacingMs * 2, SPACING_MAX_MS)
      : Math.max(this.#spacingMs / 2, SPACING_MIN_MS);
    if (sinceMs >= this.#spacingMs) return this.#tellNow(why);
    this.#waiting = why;
    this.#timer = setTimeout(() => {
      this.#waiting = null;
      this.#ways = this.#describe() ?? this.#ways;
      this.#tellNow(why);
    }, this.#spacingMs - sinceMs);
  }

  #tellNow(why: NetworkChange): void {
    if (this.#stop.signal.aborted) return;
    this.#toldMs = this.#nowMs();
    log.info("The network changed", { why });
    this.#options.onChange(why);
  }
}
