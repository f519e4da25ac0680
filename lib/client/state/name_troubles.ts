/**
 * Why names of ours have no usable address at this moment: what the DNS server says instead of one.
 *
 * @module
 */
import type { AppTarget, Plan } from "../../plan/mod.ts";
import type { DomainName, Trouble } from "../../dns/mod.ts";
import { nameErrorOf, REFUSALS } from "../../refusal/mod.ts";

/** So long after an app has gone, who asks for its name is told so. Others may publish the name again by then. */
const REMOVED_MS = 5 * 60_000;
/** So long after a refusal the app counts as denied; then a connection may find out anew. As long as an answer lives. */
const DENIED_MS = 10_000;
/** More are forgotten, the oldest first. */
const MAX_KEPT = 1024;

const REMOVED: Trouble = REFUSALS["app-removed"].ede;

/** What went wrong lately, for a while. Time is an argument. */
export class NameTroubles {
  readonly #removed = new Map<DomainName, number>();
  readonly #denied = new Map<string, { readonly untilMs: number; readonly trouble: Trouble }>();
  #targets: ReadonlyMap<DomainName, AppTarget> = new Map();

  /** Takes note of what is there now. Names that were there before and are not any more have been removed. */
  follow(plan: Plan, nowMs: number): void {
    for (const name of this.#targets.keys()) {
      if (!plan.targets.has(name)) keep(this.#removed, name, nowMs + REMOVED_MS);
    }
    for (const name of plan.targets.keys()) this.#removed.delete(name);
    this.#targets = plan.targets;
    for (const [name, untilMs] of this.#removed) {
      if (untilMs <= nowMs) this.#removed.delete(name);
    }
    for (const [appId, { untilMs }] of this.#denied) {
      if (untilMs <= nowMs) this.#denied.delete(appId);
    }
  }

  /**
   * Takes note that a connection to an app was refused.
   *
   * @returns Whether that says anything about its name.
   */
  refused(appId: string, code: string, nowMs: number): boolean {
    const trouble = nameErrorOf(code);
    if (trouble?.kind !== "access-denied") return false; // not: you, for this app, not now
    keep(this.#denied, appId, { untilMs: nowMs + DENIED_MS, trouble });
    return true;
  }

  /** Forgets refusals: the cluster may have changed its mind. */
  forgetRefusals(): void {
    this.#denied.clear();
  }

  /** The names that were removed lately. */
  get removed(): ReadonlyMap<DomainName, Trouble> {
    return new Map([...this.#removed.keys()].map((name) => [name, REMOVED]));
  }

  /** The apps that refused lately, by id. */
  get denied(): ReadonlyMap<string, Trouble> {
    return new Map([...this.#denied].map(([appId, { trouble }]) => [appId, trouble]));
  }

  /** When the next of them is over; `null` if there is none. */
  get nextMs(): number | null {
    const ends = [
      ...this.#removed.values(),
      ...[...this.#denied.values()].map((one) => one.untilMs),
    ];
    return ends.length === 0 ? null : Math.min(...ends);
  }
}

/** What to say of every name of a login that is over. */
export function loggedOut(cluster: string, proxy: string): Trouble {
  return {
    ...REFUSALS["login-expired"].ede,
    text: `not logged in to ${cluster}, run: vnet login --proxy ${proxy}`,
  };
}

function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_KEPT && oldest !== undefined) map.delete(oldest);
}
