import { decideAccess } from "../../../identity/mod.ts";
import type { PersonalRole } from "../../../config/mod.ts";
import type { App, AwayApp } from "../../../wire/mod.ts";

/** So long people are told of an app that no agent serves any more. */
const KEPT_MS = 7 * 86_400_000;
const MAX_KEPT = 1000;

interface Away {
  readonly app: App;
  readonly agentId: string;
  readonly seenMs: number;
}

/** The apps whose last agent has gone, and when. An agent that comes back says itself what it serves. */
export class AwayApps {
  readonly #nowMs: () => number;
  /** By app id, the latest last. */
  readonly #away = new Map<string, Away>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The last agent of an app has gone. */
  gone(app: App, agentId: string): void {
    this.#away.delete(app.app_id);
    this.#away.set(app.app_id, { app, agentId, seenMs: this.#nowMs() });
    const [oldest] = this.#away.keys();
    if (this.#away.size > MAX_KEPT && oldest !== undefined) this.#away.delete(oldest);
  }

  /** An agent is there again. */
  back(agentId: string): void {
    for (const [id, away] of this.#away) if (away.agentId === agentId) this.#away.delete(id);
  }

  /** An app is served again. */
  served(id: string): void {
    this.#away.delete(id);
  }

  /** What somebody with these roles may use when it comes back, sorted by name. */
  listFor(roles: readonly PersonalRole[]): AwayApp[] {
    const sinceMs = this.#nowMs() - KEPT_MS;
    return [...this.#away.values()]
      .filter(({ app, seenMs }) =>
        seenMs > sinceMs && decideAccess(roles, app.labels).kind === "allowed"
      )
      .map(({ app, seenMs }) => ({ ...app, last_seen: new Date(seenMs).toISOString() }))
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }
}
