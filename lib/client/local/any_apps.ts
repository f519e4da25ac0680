import { VnetError } from "../../error.ts";
import type { AppWish } from "../../plan/mod.ts";
import type { Paths } from "../paths.ts";
import type { AppFacts, AppWay, OpenedApp } from "./app_way.ts";
import { DaemonApps } from "./daemon_apps.ts";
import { OwnApps, type OwnAppsOptions } from "./own_apps.ts";

interface AnyAppsOptions extends OwnAppsOptions {
  readonly paths: Paths;
}

/** Apps by the daemon while one runs, else by sessions of this process; for each connection anew. */
export class AnyApps implements AppWay {
  readonly #options: AnyAppsOptions;
  readonly #daemon: DaemonApps;
  readonly #closing = new AbortController();
  #own: Promise<OwnApps> | null = null;

  constructor(options: AnyAppsOptions) {
    this.#options = options;
    this.#daemon = new DaemonApps(options.paths.appSocket);
  }

  find(wish: AppWish, signal: AbortSignal): Promise<AppFacts> {
    return this.#either((way) => way.find(wish, signal));
  }

  open(wish: AppWish, port: number | null, signal: AbortSignal): Promise<OpenedApp> {
    return this.#either((way) => way.open(wish, port, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const own = await this.#own?.catch(() => null);
    await own?.[Symbol.asyncDispose]();
  }

  async #either<T>(act: (way: AppWay) => Promise<T>): Promise<T> {
    try {
      return await act(this.#daemon);
    } catch (thrown) {
      if (!(thrown instanceof VnetError) || thrown.code !== "daemon-not-running") throw thrown;
    }
    return await act(await this.#openOwn());
  }

  /** One that cannot begin is tried again by the next connection. */
  #openOwn(): Promise<OwnApps> {
    this.#own ??= OwnApps.open(this.#options, this.#closing.signal).catch((thrown) => {
      this.#own = null;
      throw thrown;
    });
    return this.#own;
  }
}
