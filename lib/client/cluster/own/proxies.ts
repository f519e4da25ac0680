/**
 * The proxies of one cluster, asked as one: who is silent or refuses has the next one asked, and who answered is asked
 * first from then on.
 *
 * @module
 */
import { z } from "zod";
import { formatHostPort, type HostPort } from "../../../ip/mod.ts";
import { VnetError } from "../../../error.ts";
import {
  AllFailed,
  type HttpAnswer,
  HttpClient,
  type HttpRequest,
  inTurn,
  isOfTheWay,
  PROXIES_MS,
  PROXY_SILENCE_MS,
  type ProxyOrder,
  type ServerSettings,
  silentError,
} from "../../../io/mod.ts";
import { DeadlinePassed, withDeadline } from "../../../wait.ts";

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
    const proxies = this.#order.list();
    const [first] = proxies;
    const attempts = proxies.map((proxy) => (signal: AbortSignal) =>
      this.#tryOne(proxy, request, signal)
    );
    // The connection that was kept may lead nowhere.
    if (first !== undefined) attempts.push((signal) => this.#tryOne(first, request, signal, true));
    try {
      const { value, index } = await withDeadline(
        PROXIES_MS,
        signal,
        (signal) => inTurn(attempts, { delayMs: PROXY_SILENCE_MS, signal, discard: () => {} }),
      );
      for (const silent of proxies.slice(0, index)) this.#order.failed(silent);
      this.#order.answered(proxies[index] ?? proxies[0]!);
      if (value instanceof VnetError) throw value;
      return value;
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      if (thrown instanceof DeadlinePassed) {
        throw silentError("Cannot ask the cluster", proxies, PROXIES_MS, thrown);
      }
      throw thrown instanceof AllFailed ? thrown.errors[0] : thrown;
    }
  }

  /** Asks once and no more, whoever answers a harmless question first. @throws as {@link ask} */
  async askOnce<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<HttpAnswer<T>> {
    await this.ask(PING, signal);
    return await this.askBest(request, signal);
  }

  /** Asks the best one alone, for as long as the request says. @throws as `HttpClient.request` */
  async askBest<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<HttpAnswer<T>> {
    const [proxy] = this.#order.list();
    const answer = await this.#tryOne(proxy!, request, signal);
    if (answer instanceof VnetError) throw answer;
    return answer;
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

  /** @returns What the cluster answers, a refusal too. @throws what says nothing of the cluster's other proxies */
  async #tryOne<T>(
    proxy: HostPort,
    request: HttpRequest<T>,
    signal: AbortSignal,
    anew = false,
  ): Promise<HttpAnswer<T> | VnetError> {
    const client = this.#clientOf(proxy);
    if (anew) client.renew();
    try {
      return await client.request(request, signal);
    } catch (thrown) {
      if (thrown instanceof VnetError && !isOfTheWay(thrown)) return thrown;
      if (!signal.aborted) this.#order.failed(proxy);
      throw thrown;
    }
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
