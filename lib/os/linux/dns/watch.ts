/**
 * Keeping a back end's settings in force, and telling what changed.
 *
 * @module
 */
import { describeError } from "../../../error.ts";
import type { Backend, Condition } from "./backend/backend.ts";
import { FightLimit, Pulse } from "./pace.ts";
import { pause } from "../../../wait.ts";
import type { Change, OsDnsRequest, Upstreams } from "./types.ts";
import { sameUpstreams } from "./find/upstreams.ts";

/** What is watched, and for whom. */
interface Watch {
  readonly backend: Backend;
  readonly request: () => OsDnsRequest;
  /** What the listener knows already. */
  readonly known: Upstreams | null;
  /** Runs an act while nothing else is done to the back end. */
  readonly inTurn: <T>(act: () => Promise<T>) => Promise<T>;
  readonly onChange: (change: Change) => void;
  /** Gets what makes the watch look at once. */
  readonly onStart?: (poke: () => void) => void;
}

/** A writer takes several steps; 20 ms later it is through. */
const SETTLE_MS = 20;
const UNSETTLED_MS = 200;
/** How often a writer is given that time before its half-done work is taken for done. */
const UNSETTLED_LIMIT = 3;

/** Watches until aborted. */
export async function watchBackend(watch: Watch, signal: AbortSignal): Promise<void> {
  const pulse = new Pulse();
  const poke = () => pulse.poke();
  watch.onStart?.(poke);
  const following = watch.backend.follow(poke, signal).catch((error) => {
    if (signal.aborted) return;
    const message = `the host's DNS settings are not watched: ${describeError(error)}`;
    watch.onChange({ kind: "warning", message });
  });
  const keeper = new Keeper(watch, poke, signal);
  poke();
  while (await pulse.next(SETTLE_MS, signal)) await watch.inTurn(() => keeper.look());
  await following;
  await keeper.rested;
}

class Keeper {
  readonly #watch: Watch;
  readonly #poke: () => void;
  readonly #signal: AbortSignal;
  readonly #fights = new FightLimit();
  #known: Upstreams | null;
  #trouble: string | null = null;
  #unsettled = 0;
  #rest: Promise<void> | null = null;

  constructor(watch: Watch, poke: () => void, signal: AbortSignal) {
    this.#watch = watch;
    this.#known = watch.known;
    this.#poke = poke;
    this.#signal = signal;
  }

  /** Settles when no timer of ours is left. */
  get rested(): Promise<void> {
    return this.#rest ?? Promise.resolve();
  }

  /** Looks at the back end once, and acts on what it sees. */
  async look(): Promise<void> {
    if (this.#signal.aborted) return;
    try {
      await this.#restore(await this.#watch.backend.condition(this.#watch.request()));
      await this.#tellUpstreams();
    } catch (error) {
      this.#warnOnce(`the host's DNS settings cannot be kept up: ${describeError(error)}`);
    }
  }

  async #restore(condition: Condition): Promise<void> {
    if (condition.kind === "unsettled" && this.#unsettled++ < UNSETTLED_LIMIT) {
      return this.#lookAgain(UNSETTLED_MS);
    }
    switch (condition.kind) {
      case "intact":
        this.#unsettled = 0;
        this.#trouble = null;
        return;
      case "absent":
        return this.#warnOnce(condition.why);
      case "unsettled":
        return await this.#strike("an empty file was left in place of ours");
      case "undone":
        return await this.#strike(condition.why);
      default:
        condition satisfies never;
    }
  }

  async #strike(why: string): Promise<void> {
    const restMs = this.#fights.strike(performance.now());
    if (restMs > 0) {
      this.#lookAgain(restMs);
      const rest = Math.ceil(restMs / 1000);
      return this.#warnOnce(
        `someone keeps undoing our DNS settings: ${why}; next try in ${rest} s`,
      );
    }
    this.#unsettled = 0;
    await this.#watch.backend.apply(this.#watch.request());
    this.#trouble = null;
    this.#watch.onChange({ kind: "reapplied", why });
  }

  async #tellUpstreams(): Promise<void> {
    const found = await this.#watch.backend.upstreams(this.#watch.request());
    const isNew = this.#known !== null && !sameUpstreams(this.#known, found);
    this.#known = found;
    if (isNew) this.#watch.onChange({ kind: "upstreams", ...found });
  }

  #lookAgain(afterMs: number): void {
    if (this.#rest !== null) return;
    this.#rest = pause(afterMs, this.#signal).then(() => {
      this.#rest = null;
      this.#poke();
    });
  }

  #warnOnce(message: string): void {
    if (this.#trouble === message) return;
    this.#trouble = message;
    this.#watch.onChange({ kind: "warning", message });
  }
}
