import { decideAccess } from "../../../identity/mod.ts";
import type { PersonalRole } from "../../../config/mod.ts";
import type { App, AwayApp } from "../../../wire/mod.ts";

/** So long apps are listed as if their agent were there: names shall not vanish and come back. */
const LISTED_MS = 5_000;
/** So long an agent that has gone may be about to come back: it restarts, or its network does. */
const EXPECTED_MS = 30_000;
/** So long people are told of an app that no agent serves any more. */
const AWAY_MS = 7 * 86_400_000;
/** Apps that are expected. */
const MAX_EXPECTED = 50_000;
/** Apps that people are told of. */
const MAX_AWAY = 1000;

interface Gone {
  readonly app: App;
  readonly agentId: string;
  readonly goneMs: number;
  /** Whether its agent may come back, as far as anybody knows. */
  readonly isExpected: boolean;
}

/**
 * The apps whose last agent has gone, and when. Whoever wants one of them waits for its agent for a moment, and is told
 * of it for a week. An agent that comes back says itself what it serves.
 */
export class GoneApps {
  readonly #nowMs: () => number;
  /** By app id, the latest last. */
  readonly #gone = new Map<string, Gone>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The last agent of an app has gone. */
  gone(app: App, agentId: string): void {
    const nowMs = this.#nowMs();
    this.#gone.delete(app.app_id);
    this.#gone.set(app.app_id, { app, agentId, goneMs: nowMs, isExpected: true });
    for (const [id, { goneMs }] of this.#gone) {
      const most = nowMs - goneMs < EXPECTED_MS ? MAX_EXPECTED : MAX_AWAY;
      if (this.#gone.size <= most) break;
      this.#gone.delete(id);
    }
  }

  /** An agent is there again. */
  back(agentId: string): void {
    for (const [id, gone] of this.#gone) if (gone.agentId === agentId) this.#gone.delete(id);
  }

  /** Nobody waits for an agent any more. */
  giveUp(agentId: string): void {
    for (const [id, gone] of this.#gone) {
      if (gone.agentId === agentId) this.#gone.set(id, { ...gone, isExpected: false });
    }
  }

  /** An app is served again. */
  served(appId: string): void {
    this.#gone.delete(appId);
  }

  /** The apps that nobody serves at the moment and that are listed all the same. */
  listed(): readonly App[] {
    return this.#all().filter((gone) => this.#isListed(gone)).map(({ app }) => app);
  }

  /** An app whose agent may be about to come back, as it was served. */
  find(appId: string): App | null {
    const gone = this.#gone.get(appId);
    return gone?.isExpected && this.#isWithin(gone, EXPECTED_MS) ? gone.app : null;
  }

  /** What somebody with these roles may use when it comes back and is not listed, sorted by name. */
  awayFor(roles: readonly PersonalRole[]): AwayApp[] {
    return this.#all().slice(-MAX_AWAY)
      .filter((gone) =>
        this.#isWithin(gone, AWAY_MS) && !this.#isListed(gone) &&
        decideAccess(roles, gone.app.labels).kind === "allowed"
      )
      .map(({ app, goneMs }) => ({ ...app, last_seen: new Date(goneMs).toISOString() }))
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  #all(): Gone[] {
    return [...this.#gone.values()];
  }

  #isListed(gone: Gone): boolean {
    return gone.isExpected && this.#isWithin(gone, LISTED_MS);
  }

  #isWithin({ goneMs }: Gone, ms: number): boolean {
    return goneMs > this.#nowMs() - ms;
  }
}
