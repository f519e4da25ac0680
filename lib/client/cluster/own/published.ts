import { AuthError, VnetError } from "../../../error.ts";
import type { ClusterView } from "../../../plan/mod.ts";
import type { AppsResponse, ClusterConfig } from "../../../wire/mod.ts";
import type { ClusterApi, Tagged } from "./api.ts";
import { viewOf } from "./views.ts";

const LOCKED = "access-locked";

/** What one login was told last, with the tags to ask for what came after it. */
export class Published {
  readonly #api: ClusterApi;
  #config: Tagged<ClusterConfig> | null = null;
  #apps: Tagged<AppsResponse> | null = null;
  #view: ClusterView | null = null;
  /** What the cluster refused the login with last, and may take back by itself. */
  #refused: string | null = null;

  constructor(api: ClusterApi) {
    this.#api = api;
  }

  get isKnown(): boolean {
    return this.#view !== null;
  }

  /** Whether the login was refused when the cluster answered last, and may be good again without a new one. */
  get isRefused(): boolean {
    return this.#refused !== null;
  }

  /** Who vouches for the agents of a leaf, as its root says; PEM. Nobody for one that is unknown. */
  async leafAuthorities(leaf: string, signal: AbortSignal): Promise<readonly string[]> {
    if (this.#config === null) await this.ask(0, signal);
    const found = this.#config?.value.leaf_clusters.find((one) => one.cluster_name === leaf);
    return found?.trust?.host_cas ?? [];
  }

  /**
   * Asks for what is published.
   *
   * @param waitSeconds How long the cluster may hold the question until something changes; 0 asks at once.
   * @returns The very same object while nothing is different.
   */
  async ask(waitSeconds: number, signal: AbortSignal): Promise<ClusterView> {
    const appsTag = this.#apps?.tag ?? null;
    const wait = { seconds: waitSeconds, appsTag, refused: this.#refused };
    const asked = this.#api.config(this.#config?.tag ?? null, wait, signal);
    const config = await asked.catch((thrown) => {
      if (thrown instanceof AuthError) this.#refused = thrown.code === LOCKED ? LOCKED : null;
      throw thrown;
    });
    this.#refused = null;
    const apps = await this.#api.apps(appsTag, signal);
    this.#config = config ?? this.#config;
    this.#apps = apps ?? this.#apps;
    if (this.#config === null || this.#apps === null) {
      throw new VnetError(
        "cluster-mismatch",
        "The cluster said nothing changed, but nothing is known",
      );
    }
    if (this.#view === null || config !== null || apps !== null) {
      this.#view = viewOf(this.#config.value, this.#apps.value);
    }
    return this.#view;
  }
}
