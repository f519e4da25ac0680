/**
 * All logins at work: opened, asked and followed together, with their views kept on disk for the next start.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import { orAborted, pause, withDeadline } from "../../wait.ts";
import type { ClusterView, PlanSource } from "../../plan/mod.ts";
import type { SecondFactor } from "../mfa/desk.ts";
import type { ClusterDriver, Surroundings } from "./driver.ts";
import { openAnyLink } from "./drivers.ts";
import { type Profile, profileName, ProfileStore, sameLogin } from "./profile.ts";
import { loadViews, saveViews } from "./saved_views.ts";
import { Session } from "./session.ts";

const log = getLogger("client");

const FIRST_REFRESH_MS = 8_000;
/** What is new waits no longer than this for clusters that are known: one that is silent concerns nobody else. */
const KNOWN_REFRESH_MS = 1_000;

/** How long something may take to end that was told to. */
const END_MS = 2_000;

interface ClustersOptions {
  readonly configDir: string;
  readonly stateDir: string;
  readonly drivers: readonly ClusterDriver[];
  readonly nowMs: () => number;
  /** Asks the person for a second factor; `null` where nobody can be asked. */
  readonly secondFactor: SecondFactor | null;
  /** What there is around this program; nothing of vnet's if not given. */
  readonly around?: Surroundings;
}

/** The sessions of one owner, sorted by name. */
export class Clusters implements AsyncDisposable {
  readonly #options: ClustersOptions;
  readonly #profiles: ProfileStore;
  #sessions: readonly Session[] = [];
  /** Their logins are over or replaced, and their last connections still open. */
  readonly #retired = new Set<Session>();
  /** Who is told of changes; `null` until somebody wants to be. */
  #onChange: (() => Promise<void>) | null = null;
  #following: { readonly stop: AbortController; readonly done: Promise<unknown> } | null = null;
  readonly #closing = new AbortController();
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
   * Reads the logins anew and asks every cluster once. Logins that are the same keep what they have, and are followed
   * on where their cluster does not answer at once. A login that cannot be used is a session that says so.
   *
   * @throws VnetError `profile-damaged` when a file cannot be read; what there was stays
   */
  refresh(signal: AbortSignal): Promise<void> {
    const turn = this.#turn.then(() => this.#refresh(signal));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Follows every cluster from here on, over every refresh; calls `onChange` when anything is different. */
  follow(onChange: () => Promise<void>): void {
    this.#onChange = onChange;
    this.#turn = this.#turn.then(() => this.#begin());
  }

  /** The network is another: every cluster is asked at once, and connections that lead nowhere end. */
  networkChanged(): void {
    for (const session of [...this.#sessions, ...this.#retired]) session.networkChanged();
  }

  /** Keeps the views for the next start. @throws OsError when they cannot be written */
  async save(): Promise<void> {
    const views = new Map<string, ClusterView>();
    for (const { name, view } of this.#sessions) if (view !== null) views.set(name, view);
    await saveViews(this.#options.stateDir, views);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#turn;
    await this.#end();
    await Promise.all([...this.#sessions, ...this.#retired].map((session) => session.close()));
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const profiles = await this.#profiles.list();
    const before = new Map(this.#sessions.map((session) => [session.name, session]));
    const saved = await loadViews(this.#options.stateDir);
    const sessions = profiles.map((profile) => {
      const known = before.get(profileName(profile.proxy));
      if (known !== undefined && sameLogin(known.profile, profile)) return known;
      return this.#open(profile, saved);
    });
    await this.#end();
    const either = AbortSignal.any([signal, this.#closing.signal]);
    await Promise.all(sessions.map((session) => this.#ask(session, either)));
    for (const session of this.#sessions) if (!sessions.includes(session)) this.#retire(session);
    this.#sessions = sessions;
    this.#begin();
  }

  /** Asks a cluster once. One that is at work already and does not answer soon is not waited for. */
  async #ask(session: Session, signal: AbortSignal): Promise<void> {
    const isAtWork = this.#sessions.includes(session) && session.view !== null;
    let isLate = false;
    const asking = session.refresh(FIRST_REFRESH_MS, signal).then(async (isDifferent) => {
      if (isLate && isDifferent) await this.#onChange?.();
    });
    const stop = new AbortController();
    await Promise.race(isAtWork ? [asking, pause(KNOWN_REFRESH_MS, stop.signal)] : [asking]);
    stop.abort();
    isLate = true;
  }

  #open(profile: Profile, saved: ReadonlyMap<string, ClusterView>): Session {
    const { drivers, nowMs, secondFactor, around } = this.#options;
    const link = openAnyLink(drivers, profile, around);
    const session = new Session({ profile, link, nowMs, secondFactor });
    const view = saved.get(session.name);
    if (view !== undefined) session.restore(view);
    return session;
  }

  #retire(session: Session): void {
    this.#retired.add(session);
    void session.retire().then(async () => {
      await session.close();
      this.#retired.delete(session);
    });
  }

  #begin(): void {
    const onChange = this.#onChange;
    if (onChange === null || this.#closing.signal.aborted) return;
    this.#following?.stop.abort();
    const stop = new AbortController();
    const done = Promise.all(
      this.#sessions.map((session) =>
        session.follow(onChange, stop.signal).catch((thrown) => {
          log.error("Stopped following a cluster", { error: describeError(thrown) });
        })
      ),
    );
    this.#following = { stop, done };
  }

  /** Ends following; a driver that does not notice is not waited for. */
  async #end(): Promise<void> {
    const following = this.#following;
    this.#following = null;
    if (following === null) return;
    following.stop.abort();
    await withDeadline(END_MS, null, (signal) => orAborted(following.done, signal)).catch(() => {});
  }
}
