/**
 * The proxies of one cluster, asked as one: who is silent or refuses has the next one asked, and who answered is asked
 * first from then on.
 *
 * @module
 */
import { z } from "zod";
import { formatHostPort, type HostPort } from "../../../ip/mod.ts";
import {
  type HttpAnswer,
  HttpClient,
  type HttpRequest,
  type ProxyOrder,
  type ServerSettings,
  throughProxies,
  throughProxy,
} from "../../../io/mod.ts";

/** What anybody may ask. */
const PING = { method: "GET", path: "/webapi/ping", schema: z.unknown() } as const;

/** HTTPS clients of a cluster's proxies, all by one trust and one identity. */
export class ProxyClients implements Disposable {
  readonly #order: ProxyOrder;
  readonly #settings: Omit<ServerSettings, "server">;
  readonly #clients = new Map<string, HttpClient>();
  #isRetired = false;

  constructor(order: ProxyOrder, settings: Omit<ServerSettings, "server">) {
    this.#order = order;
    this.#settings = settings;
  }

  /**
   * Asks until one answers. More than one may get the question: it must do no harm twice.
   *
   * @throws what `HttpClient.request` throws; {NetworkError} `proxy-silent` when nobody answered in time
   */
  async ask<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<HttpAnswer<T>> {
    return await throughProxies(this.#order, {
      act: "Cannot ask the cluster",
      attempt: (proxy, signal) => this.#clientOf(proxy).request(request, signal),
      lastly: (proxy, signal) => {
        const client = this.#clientOf(proxy);
        client.renew(); // the connection that was kept may lead nowhere
        return client.request(request, signal);
      },
    }, signal);
  }

  /** Asks once and no more, whoever answers a harmless question first. @throws as {@link ask} */
  async askOnce<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<HttpAnswer<T>> {
    await this.ask(PING, signal);
    return await this.askBest(request, signal);
  }

  /** Asks the best one alone, for as long as the request says. @throws as `HttpClient.request` */
  async askBest<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<HttpAnswer<T>> {
    const [proxy] = this.#order.list();
    return await throughProxy(
      this.#order,
      proxy!,
      (proxy, signal) => this.#clientOf(proxy).request(request, signal),
      signal,
    );
  }

  /** Has whatever is asked next go over new connections. */
  renew(): void {
    for (const client of this.#clients.values()) client.renew();
  }

  /** Ends its connections when the last request under way is answered. */
  closeWhenIdle(): void {
    this.#isRetired = true;
    for (const client of this.#clients.values()) client.closeWhenIdle();
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client.close();
  }

  #clientOf(proxy: HostPort): HttpClient {
    const key = formatHostPort(proxy);
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = new HttpClient({ ...this.#settings, server: proxy });
      this.#clients.set(key, client);
      if (this.#isRetired) client.closeWhenIdle();
    }
    return client;
  }
}
