/**
 * One login at work: keeps the cluster's configuration and apps fresh, and gets certificates for its apps.
 *
 * @module
 */
import type { App, AppCertResponse, ClusterConfig } from "../../wire/mod.ts";
import type { AppTarget, PlanSource } from "../../plan/mod.ts";
import { AuthError, describeError, NetworkError, VnetError } from "../../error.ts";
import { type AppCredentials, generateKeyPair } from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import type { ClusterApi } from "./own/api.ts";
import { viewOf } from "./own/views.ts";
import { type Profile, profileName } from "./profile.ts";

const log = getLogger("client", "session");

/** How long the cluster holds a question for news. */
const POLL_SECONDS = 30;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** A certificate is renewed when less than this part of its life is left. */
const RENEW_FRACTION = 0.25;
const MAX_CREDENTIALS = 4096;
const ISSUE_DEADLINE_MS = 15_000;

/** What a session knows of its cluster; kept on disk for the next start. */
export interface ClusterView {
  readonly config: ClusterConfig;
  readonly apps: readonly App[];
}

export type SessionState = "active" | "expired" | "unreachable";

interface Credentials {
  readonly value: AppCredentials;
  readonly renewAfterMs: number;
}

export interface SessionOptions {
  readonly profile: Profile;
  readonly api: ClusterApi;
  readonly nowMs: () => number;
}

/** One login's live view of its cluster. */
export class Session {
  readonly profile: Profile;
  readonly name: string;
  readonly #api: ClusterApi;
  readonly #nowMs: () => number;
  readonly #credentials = new Map<string, Credentials>();
  readonly #issuing = new Map<string, Promise<AppCredentials>>();
  #view: ClusterView | null = null;
  #configTag: string | null = null;
  #appsTag: string | null = null;
  #refreshedMs: number | null = null;
  #error: string | null = null;
  #refused = false;

  constructor(options: SessionOptions) {
    this.profile = options.profile;
    this.name = profileName(options.profile.proxy);
    this.#api = options.api;
    this.#nowMs = options.nowMs;
  }

  /** Begins with what was last known, until the cluster answers. */
  restore(view: ClusterView): void {
    this.#view ??= view;
  }

  /** Ends the connections to the cluster. */
  close(): void {
    this.#api[Symbol.dispose]();
  }

  get view(): ClusterView | null {
    return this.#view;
  }

  get state(): SessionState {
    if (this.#refused || this.profile.expiresMs <= this.#nowMs()) return "expired";
    return this.#error === null ? "active" : "unreachable";
  }

  get error(): string | null {
    return this.#error;
  }

  get refreshedMs(): number | null {
    return this.#refreshedMs;
  }

  /** The input of the plan, or `null` while nothing is known. */
  get source(): PlanSource | null {
    if (this.#view === null) return null;
    return {
      profile: this.name,
      proxyHost: this.profile.proxy.host,
      view: viewOf(this.#view.config, this.#view.apps),
    };
  }

  /**
   * Asks the cluster for its configuration and apps.
   *
   * @param waitSeconds How long the cluster may hold the question until something changes; 0 asks at once.
   * @returns Whether anything is different now. A refusal keeps the old view and shows in `state`.
   */
  async refresh(waitSeconds: number, signal: AbortSignal): Promise<boolean> {
    try {
      const config = await this.#api.config(this.#configTag, waitSeconds, signal);
      const apps = await this.#api.apps(this.#appsTag, signal);
      const next = {
        config: config?.value ?? this.#view?.config,
        apps: apps?.value ?? this.#view?.apps,
      };
      if (next.config === undefined || next.apps === undefined) {
        throw new VnetError(
          "cluster-mismatch",
          "The cluster said nothing changed, but nothing is known",
        );
      }
      const wasWell = this.#error === null && !this.#refused;
      this.#configTag = config?.tag ?? this.#configTag;
      this.#appsTag = apps?.tag ?? this.#appsTag;
      this.#view = { config: next.config, apps: next.apps };
      this.#refreshedMs = this.#nowMs();
      this.#error = null;
      this.#refused = false;
      return config !== null || apps !== null || !wasWell;
    } catch (thrown) {
      if (signal.aborted) return false;
      const was = this.#error;
      this.#error = describeError(thrown);
      this.#refused = thrown instanceof AuthError;
      log.debug("Refresh failed", { profile: this.name, error: this.#error });
      return was !== this.#error;
    }
  }

  /** Follows the cluster until the signal aborts; calls `onChange` when anything is different. */
  async follow(onChange: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      if (await this.refresh(this.#error === null ? POLL_SECONDS : 0, signal)) await onChange();
      if (this.#error === null) {
        retryMs = RETRY_MIN_MS;
        continue;
      }
      await pause(retryMs, signal);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  /**
   * Gets what a connection to one port of an app needs to show; from memory while it lasts, one request at a time.
   *
   * @throws AuthError when the cluster refuses; NetworkError when it cannot be asked.
   */
  async credentials(target: AppTarget, port: number): Promise<AppCredentials> {
    const certPort = target.ports === null ? 0 : port;
    const key = `${target.appId}:${certPort}`;
    const held = this.#credentials.get(key);
    if (held !== undefined && this.#nowMs() < held.renewAfterMs) return held.value;
    const running = this.#issuing.get(key);
    if (running !== undefined) return await running;
    const issuing = this.#issue(target, certPort, key);
    this.#issuing.set(key, issuing);
    try {
      return await issuing;
    } catch (thrown) {
      const stillGood = held !== undefined && this.#nowMs() < held.value.expiresMs;
      if (stillGood && thrown instanceof NetworkError) return held.value;
      throw thrown;
    } finally {
      this.#issuing.delete(key);
    }
  }

  async #issue(
    target: AppTarget,
    port: number,
    key: string,
  ): Promise<AppCredentials> {
    const { publicKeyPem, privateKeyPem } = await generateKeyPair();
    const issued: AppCertResponse = await this.#api.appCertificate({
      app: target.app,
      cluster: target.cluster,
      port,
      public_key: publicKeyPem,
    }, AbortSignal.timeout(ISSUE_DEADLINE_MS));
    const expiresMs = Date.parse(issued.expires);
    const value = {
      certificatePem: issued.certificate,
      privateKeyPem,
      ticket: issued.ticket,
      expiresMs,
    };
    const nowMs = this.#nowMs();
    if (this.#credentials.size >= MAX_CREDENTIALS) this.#credentials.clear();
    this.#credentials.set(key, {
      value,
      renewAfterMs: nowMs + (expiresMs - nowMs) * (1 - RENEW_FRACTION),
    });
    return value;
  }
}

/** Waits, or less if the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", done);
  return promise;
}
