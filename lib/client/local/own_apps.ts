/**
 * Apps by this process's own sessions, where no daemon runs.
 *
 * @module
 */
import { VnetError } from "../../error.ts";
import { type AppWish, compilePlan, NOTHING_SAID, type ZoneKnowledge } from "../../plan/mod.ts";
import { endsLogin } from "../../refusal/mod.ts";
import { Clusters } from "../cluster/clusters.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import { DRIVERS } from "../cluster/drivers.ts";
import { requireLogin } from "../cluster/require_login.ts";
import { AppDialer } from "../dial.ts";
import type { SecondFactor } from "../mfa/desk.ts";
import type { Paths } from "../paths.ts";
import { readKnowledge } from "../zones/known.ts";
import { AppOpener } from "./app_opener.ts";
import type { AppFacts, AppWay, OpenedApp } from "./app_way.ts";

/** How often the logins on disk are looked at again because one of ours is over. */
const LOOK_AGAIN_MS = 2_000;

/** What a session says whose login is over, or was taken away. */
const LOGIN_GONE = ["login-expired", "app-removed"];

export interface OwnAppsOptions {
  readonly paths: Pick<Paths, "configDir" | "stateDir">;
  readonly nowMs: () => number;
  readonly drivers?: readonly ClusterDriver[];
  /** Asks the person for a second factor; nobody is asked if not given. */
  readonly secondFactor?: SecondFactor;
}

/** The apps of the logins on disk. A login that is renewed there is taken up when the old one is over. */
export class OwnApps implements AppWay {
  readonly #clusters: Clusters;
  readonly #opener: AppOpener;
  readonly #nowMs: () => number;
  readonly #closing = new AbortController();
  readonly #paths: OwnAppsOptions["paths"];
  #lookAgainMs = 0;
  #zones: ZoneKnowledge = NOTHING_SAID;

  private constructor(options: OwnAppsOptions) {
    const { paths, nowMs, drivers = DRIVERS, secondFactor = null } = options;
    this.#nowMs = nowMs;
    this.#paths = paths;
    const { configDir, stateDir } = paths;
    this.#clusters = new Clusters({ configDir, stateDir, drivers, nowMs, secondFactor });
    this.#opener = new AppOpener({
      plan: () => compilePlan(this.#clusters.sources, { range: null, zones: this.#zones }),
      sources: () => this.#clusters.sources,
      dialer: new AppDialer({
        sessionOf: (profile) => this.#clusters.find(profile),
        onRefused: () => {},
      }),
    });
  }

  /** Asks every cluster once, and follows them from then on. @throws VnetError `login-needed`, `login-expired` */
  static async open(options: OwnAppsOptions, signal: AbortSignal): Promise<OwnApps> {
    const apps = new OwnApps(options);
    try {
      requireLogin("Cannot connect", await apps.#clusters.logins(), options.nowMs());
      await apps.#clusters.refresh(signal);
    } catch (thrown) {
      await apps[Symbol.asyncDispose]();
      throw thrown;
    }
    apps.#clusters.follow(() => Promise.resolve());
    return apps;
  }

  async find(wish: AppWish, _signal: AbortSignal): Promise<AppFacts> {
    await this.#learnZones();
    return this.#opener.find(wish);
  }

  async open(wish: AppWish, port: number | null, signal: AbortSignal): Promise<OpenedApp> {
    await this.#learnZones();
    const open = () => this.#opener.dial(this.#opener.place(wish, port), signal);
    try {
      return await open();
    } catch (thrown) {
      if (!await this.#lookAgain(thrown)) throw thrown;
      return await open();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#clusters[Symbol.asyncDispose]();
  }

  /** What was decided about zones, and what a daemon last found out. */
  async #learnZones(): Promise<void> {
    this.#zones = (await readKnowledge(this.#paths, this.#nowMs())).knowledge;
  }

  /** @returns Whether there may be another login now. */
  async #lookAgain(thrown: unknown): Promise<boolean> {
    const isOver = thrown instanceof VnetError &&
      (endsLogin(thrown.code) || LOGIN_GONE.includes(thrown.code));
    const nowMs = this.#nowMs();
    if (!isOver || nowMs < this.#lookAgainMs) return false;
    this.#lookAgainMs = nowMs + LOOK_AGAIN_MS;
    await this.#clusters.refresh(this.#closing.signal);
    return true;
  }
}
