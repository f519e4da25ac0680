/**
 * All logins at work: opened, asked and followed together, with their views kept on disk for the next start.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import type { ClusterView, PlanSource } from "../../plan/mod.ts";
import type { ClusterDriver } from "./driver.ts";
import { openLink } from "./drivers.ts";
import { type Profile, profileName, ProfileStore, sameLogin } from "./profile.ts";
import { loadViews, saveViews } from "./saved_views.ts";
import { Session } from "./session.ts";

const log = getLogger("client");

const FIRST_REFRESH_MS = 8_000;

interface ClustersOptions {
  readonly configDir: string;
  readonly stateDir: string;
  readonly drivers: readonly ClusterDriver[];
  readonly nowMs: () => number;
}

/** The sessions of one owner, sorted by name. */
export class Clusters implements AsyncDisposable {
  readonly #options: ClustersOptions;
  readonly #profiles: ProfileStore;
  #sessions: readonly Session[] = [];
  /** Their logins are over or replaced; their connections may go on. */
  readonly #retired: Session[] = [];
  #following: { readonly stop: AbortController; readonly done: Promise<unknown> } | null = null;
  /** Refreshes come one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ClustersOptions) {
    this.#options = options;
    this.#profiles = new ProfileStore(options.configDir);
  }

  get sessions(): readonly Session[] {
    return this.#sessions;
  }

  /** What a plan is compiled from: what is known of each cluster. */
  get sources(): readonly PlanSource[] {
    return this.#sessions.flatMap((session) => session.source ?? []);
  }

  /** @returns The session of a profile's name, or `null` if its login is gone. */
  find(name: string): Session | null {
    return this.#sessions.find((session) => session.name === name) ?? null;
  }

  /** Reads the saved logins. @throws VnetError `profile-damaged` */
  logins(): Promise<readonly Profile[]> {
    return this.#profiles.list();
  }

  /**
   * Reads the logins anew and asks every cluster once. Logins that are the same keep what they have; following ends,
   * and is the caller's to begin again.
   *
   * @throws VnetError `profile-damaged`, `cluster-kind-unknown`; what there was stays
   */
  refresh(signal: AbortSignal): Promise<void> {
    const turn = this.#turn.then(() => this.#refresh(signal));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Follows every cluster until the next refresh or the signal; calls `onChange` when anything is different. */
  follow(onChange: () => Promise<void>, signal: AbortSignal): void {
    this.#following?.stop.abort();
    const stop = new AbortController();
    const either = AbortSignal.any([stop.signal, signal]);
    const done = Promise.all(
      this.#sessions.map((session) =>
        session.follow(onChange, either).catch((thrown) => {
          log.error("Stopped following a cluster", { error: describeError(thrown) });
        })
      ),
    );
    this.#following = { stop, done };
  }

  /** Keeps the views for the next start. */
  async save(): Promise<void> {
    const views = new Map<string, ClusterView>();
    for (const { name, view } of this.#sessions) if (view !== null) views.set(name, view);
    await saveViews(this.#options.stateDir, views);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#following?.stop.abort();
    await Promise.all([...this.#sessions, ...this.#retired].map((session) => session.close()));
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const profiles = await this.#profiles.list();
    const before = new Map(this.#sessions.map((session) => [session.name, session]));
    const saved = await loadViews(this.#options.stateDir);
    const sessions = profiles.map((profile) => {
      const known = before.get(profileName(profile.proxy));
      if (known !== undefined && sameLogin(known.profile, profile)) return known;
      return this.#open(profile, saved);
    });
    this.#following?.stop.abort();
    await this.#following?.done;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(FIRST_REFRESH_MS)]);
    await Promise.all(sessions.map((session) => session.refresh(deadline)));
    for (const session of this.#sessions) if (!sessions.includes(session)) this.#retire(session);
    this.#sessions = sessions;
    if (!signal.aborted) await this.save();
  }

  #open(profile: Profile, saved: ReadonlyMap<string, ClusterView>): Session {
    const { drivers, nowMs } = this.#options;
    const session = new Session({ profile, link: openLink(drivers, profile), nowMs });
    const view = saved.get(session.name);
    if (view !== undefined) session.restore(view);
    return session;
  }

  #retire(session: Session): void {
    session.retire();
    this.#retired.push(session);
  }
}
