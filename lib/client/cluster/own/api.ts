/**
 * What a client asks of a cluster of vnet's own kind, over mutual TLS.
 *
 * @module
 */
import { HttpClient } from "../../../io/mod.ts";
import {
  type AppCertRequest,
  type AppCertResponse,
  AppCertResponseSchema,
  type AppsResponse,
  AppsResponseSchema,
  type ClusterConfig,
  ClusterConfigSchema,
} from "../../../wire/mod.ts";
import { type Means, type OwnLogin, serverAsUser } from "./credentials.ts";

/** A long poll may take this much longer than it was asked to wait. */
const POLL_MARGIN_MS = 10_000;

/** An answer with the tag to ask for its successor. */
export interface Tagged<T> {
  readonly value: T;
  readonly tag: string | null;
}

/** The cluster's side of a login; `null` means unchanged since the tag. */
export interface ClusterApi extends Disposable {
  /** @param wait How long the cluster may hold the question while neither this nor the apps are different. */
  config(
    tag: string | null,
    wait: { readonly seconds: number; readonly appsTag: string | null },
    signal: AbortSignal,
  ): Promise<Tagged<ClusterConfig> | null>;
  apps(tag: string | null, signal: AbortSignal): Promise<Tagged<AppsResponse> | null>;
  appCertificate(request: AppCertRequest, signal: AbortSignal): Promise<AppCertResponse>;
  /** Ends when what was asked is answered. */
  retire(): void;
}

/** The API of a real cluster. */
export class HttpClusterApi implements ClusterApi {
  readonly #http: HttpClient;

  constructor(login: OwnLogin, means: Means) {
    this.#http = new HttpClient(serverAsUser(login, means));
  }

  async config(
    tag: string | null,
    { seconds, appsTag }: Parameters<ClusterApi["config"]>[1],
    signal: AbortSignal,
  ): Promise<Tagged<ClusterConfig> | null> {
    const apps = appsTag === null ? "" : `&apps=${encodeURIComponent(appsTag)}`;
    const answer = await this.#http.request({
      method: "GET",
      path: seconds === 0 ? "/v1/config" : `/v1/config?wait=${seconds}${apps}`,
      schema: ClusterConfigSchema,
      etag: tag,
      timeoutMs: seconds * 1000 + POLL_MARGIN_MS,
    }, signal);
    return answer.kind === "not-modified" ? null : { value: answer.value, tag: answer.etag };
  }

  async apps(tag: string | null, signal: AbortSignal): Promise<Tagged<AppsResponse> | null> {
    const answer = await this.#http.request({
      method: "GET",
      path: "/v1/apps",
      schema: AppsResponseSchema,
      etag: tag,
    }, signal);
    return answer.kind === "not-modified" ? null : { value: answer.value, tag: answer.etag };
  }

  async appCertificate(request: AppCertRequest, signal: AbortSignal): Promise<AppCertResponse> {
    const answer = await this.#http.request({
      method: "POST",
      path: "/v1/certs/app",
      schema: AppCertResponseSchema,
      body: request,
    }, signal);
    if (answer.kind === "value") return answer.value;
    throw new TypeError("A POST is never answered with 304");
  }

  retire(): void {
    this.#http.closeWhenIdle();
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }
}
