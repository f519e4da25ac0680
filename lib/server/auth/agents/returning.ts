import { appId } from "../../../io/mod.ts";
import type { StoredAgent } from "../../store/mod.ts";

/** So long after the start the agents that were there before it may be on their way. */
const START_MS = 10_000;
/** Who was seen this long before the start was there when the server ended: all are noted every ten minutes. */
const SEEN_MS = 15 * 60_000;

/** Agents that were there before the start, and were not since: whoever wants one of their apps waits for them. */
export class Returning {
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  /** The ids of their apps, by agent. */
  readonly #apps = new Map<string, readonly string[]>();
  /** How many of them serve an app, by its id. */
  readonly #counts = new Map<string, number>();
  readonly #allBack = Promise.withResolvers<void>();

  /** @param joined Every agent that has joined. */
  constructor(
    options: { readonly cluster: string; readonly nowMs: () => number },
    joined: readonly StoredAgent[] = [],
  ) {
    this.#nowMs = options.nowMs;
    this.#startedMs = this.#nowMs();
    for (const { id, apps, renewedMs, seenMs } of joined) {
      const lastMs = Math.max(seenMs ?? 0, renewedMs);
      if (lastMs <= this.#startedMs - SEEN_MS) continue;
      const ids = apps.map((name) => appId(options.cluster, name));
      this.#apps.set(id, ids);
      this.#count(ids, 1);
    }
    this.#settle();
  }

  /** Resolves when every agent that was there before the start has come, or will not. */
  get allBack(): Promise<void> {
    return this.#allBack.promise;
  }

  /** An agent is there and says itself what it serves, or nobody waits for it any more. */
  forget(agentId: string): void {
    const ids = this.#apps.get(agentId);
    if (ids === undefined) return;
    this.#apps.delete(agentId);
    this.#count(ids, -1);
    this.#settle();
  }

  /** Whether an agent that serves an app may be on its way. */
  isExpected(appId: string): boolean {
    return this.isStarting && (this.#counts.get(appId) ?? 0) > 0;
  }

  /** Whether agents that were there before the start may be on their way. */
  get isStarting(): boolean {
    return this.#apps.size > 0 && this.#nowMs() < this.#startedMs + START_MS;
  }

  #count(ids: readonly string[], by: number): void {
    for (const id of ids) this.#counts.set(id, (this.#counts.get(id) ?? 0) + by);
  }

  #settle(): void {
    if (this.#apps.size === 0) this.#allBack.resolve();
  }
}
