/**
 * What a client asks of a cluster of vnet's own kind, over mutual TLS.
 *
 * @module
 */
import { VnetError } from "../../../error.ts";
import { type HttpAnswer, type HttpRequest, isOfTheWay, type ProxyOrder } from "../../../io/mod.ts";
import { type HostPort, parseHostPort } from "../../../ip/mod.ts";
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
import { ProxyClients } from "./proxies.ts";

/** A long poll may take this much longer than it was asked to wait. */
const POLL_MARGIN_MS = 10_000;
/** Where a proxy is whose address says no port. */
const HTTPS_PORT = 443;

/** An answer with the tag to ask for its successor. */
export interface Tagged<T> {
  readonly value: T;
  readonly tag: string | null;
}

/** What a question for news waits for: that something is other than this. */
export interface Wait {
  /** At most; 0 asks at once. */
  readonly seconds: number;
  readonly appsTag: string | null;
  readonly refused: string | null;
}

/** The cluster's side of a login; `null` means unchanged since the tag. */
export interface ClusterApi extends Disposable {
  /**
   * @param wait How long the cluster may hold the question while neither this nor the apps are different, nor what it
   * refused the login with last.
   */
  config(
    tag: string | null,
    wait: Wait,
    signal: AbortSignal,
  ): Promise<Tagged<ClusterConfig> | null>;
  apps(tag: string | null, signal: AbortSignal): Promise<Tagged<AppsResponse> | null>;
  appCertificate(request: AppCertRequest, signal: AbortSignal): Promise<AppCertResponse>;
  /** Says where else the cluster's proxies are: `host` or `host:port`. */
  know(addresses: readonly string[]): void;
  /** Waits for news where answers come from by now. */
  keepUp(): void;
  /** The network is another: nothing is left to connections from before, and a question that waits for news is put anew. */
  renew(): void;
  /** Ends when what was asked is answered. */
  retire(): void;
}

/** The API of a real cluster. */
export class HttpClusterApi implements ClusterApi {
  readonly #proxies: ProxyOrder;
  readonly #clients: ProxyClients;
  /** Ends the question that waits for news. */
  #poll = new AbortController();
  /** Whom it was put to; `null` while there is none. */
  #pollsAt: HostPort | null = null;

  /** @param proxies Where the cluster is asked; learns of the others that it lists. */
  constructor(login: OwnLogin, proxies: ProxyOrder, means: Means) {
    this.#proxies = proxies;
    this.#clients = new ProxyClients(proxies, serverAsUser(login, means));
  }

  async config(
    tag: string | null,
    { seconds, appsTag, refused }: Wait,
    signal: AbortSignal,
  ): Promise<Tagged<ClusterConfig> | null> {
    const more = { apps: appsTag, refused };
    const known = Object.entries(more).map(([key, value]) =>
      value === null ? "" : `&${key}=${encodeURIComponent(value)}`
    );
    const question = { method: "GET", schema: ClusterConfigSchema, etag: tag } as const;
    const polled = seconds === 0 ? null : await this.#waitForNews(
      {
        ...question,
        path: `/v1/config?wait=${seconds}${known.join("")}`,
        timeoutMs: seconds * 1000 + POLL_MARGIN_MS,
      },
      signal,
    );
    const answer = polled ?? await this.#clients.ask({ ...question, path: "/v1/config" }, signal);
    if (answer.kind === "not-modified") return null;
    const { value, etag } = answer;
    this.know(value.proxy_public_addrs);
    return { value, tag: etag };
  }

  async apps(tag: string | null, signal: AbortSignal): Promise<Tagged<AppsResponse> | null> {
    const answer = await this.#clients.ask({
      method: "GET",
      path: "/v1/apps",
      schema: AppsResponseSchema,
      etag: tag,
    }, signal);
    return answer.kind === "not-modified" ? null : { value: answer.value, tag: answer.etag };
  }

  async appCertificate(request: AppCertRequest, signal: AbortSignal): Promise<AppCertResponse> {
    const question = {
      method: "POST",
      path: "/v1/certs/app",
      schema: AppCertResponseSchema,
      body: request,
    } as const;
    // A code works once; a certificate may be issued twice.
    const answer = request.totp_code === undefined
      ? await this.#clients.ask(question, signal)
      : await this.#clients.askOnce(question, signal);
    if (answer.kind === "value") return answer.value;
    throw new TypeError("A POST is never answered with 304");
  }

  know(addresses: readonly string[]): void {
    this.#proxies.know(
      addresses.map((text) => parseHostPort(text, HTTPS_PORT)).filter((proxy) => proxy !== null),
    );
  }

  keepUp(): void {
    if (this.#pollsAt !== null && this.#proxies.isShunned(this.#pollsAt)) this.#pollAnew();
  }

  renew(): void {
    this.#clients.renew();
    this.#pollAnew();
  }

  retire(): void {
    this.#clients.closeWhenIdle();
  }

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
  }

  /** @returns `null` when it came to nothing, and is to be asked at once. */
  async #waitForNews(
    question: HttpRequest<ClusterConfig>,
    signal: AbortSignal,
  ): Promise<HttpAnswer<ClusterConfig> | null> {
    const either = AbortSignal.any([signal, this.#poll.signal]);
    this.#pollsAt = this.#proxies.list()[0] ?? null;
    try {
      return await this.#clients.askBest(question, either);
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      if (either.aborted || (thrown instanceof VnetError && isOfTheWay(thrown))) return null;
      throw thrown;
    } finally {
      this.#pollsAt = null;
    }
  }

  #pollAnew(): void {
    this.#poll.abort();
    this.#poll = new AbortController();
  }
}
