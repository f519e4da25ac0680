import type { ProxyFacts } from "../../../health/mod.ts";
import { CarrierPool, type Dialer, generateKeyPair, type ProxyOrder } from "../../../io/mod.ts";
import type { ClusterView } from "../../../plan/mod.ts";
import { describeError } from "../../../error.ts";
import { getLogger } from "../../../log.ts";
import type {
  ClusterLink,
  Flow,
  OpenRequest,
  Right,
  RightRequest,
  Stranger,
  Surroundings,
} from "../driver.ts";
import type { ClusterApi } from "./api.ts";
import { dialerOf, type Means, type OwnLogin } from "./credentials.ts";
import { endLogin } from "./login.ts";
import { findPortal } from "./portal.ts";
import { Published } from "./published.ts";
import { reachProxy } from "./reach.ts";

const log = getLogger("client", "cluster");

/** How long the cluster holds a question for news. */
const POLL_SECONDS = 30;
/** What a certificate for an app without ports of its own is issued for. */
const ANY_PORT = 0;

/** The certificate for one app, and port if it has ports of its own, with the ticket that the proxy asks for. */
export class AppRight implements Right {
  readonly expiresMs: number;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly ticket: string;

  constructor(fields: Pick<AppRight, "expiresMs" | "certificatePem" | "privateKeyPem" | "ticket">) {
    this.expiresMs = fields.expiresMs;
    this.certificatePem = fields.certificatePem;
    this.privateKeyPem = fields.privateKeyPem;
    this.ticket = fields.ticket;
  }
}

/** A login to a cluster of vnet's own kind, in use. */
export class OwnLink implements ClusterLink {
  readonly #login: OwnLogin;
  readonly #proxies: ProxyOrder;
  readonly #api: ClusterApi;
  readonly #published: Published;
  readonly #carriers: CarrierPool;
  readonly #means: Means;
  readonly #dial: Dialer;
  readonly #around: Surroundings | null;
  #isSilent = false;

  /** @param parts The API becomes the link's to close; it goes by the same order of proxies, and the same means. */
  constructor(
    login: OwnLogin,
    parts: {
      readonly proxies: ProxyOrder;
      readonly api: ClusterApi;
      readonly around: Surroundings | null;
    },
    means: Means,
  ) {
    const { proxies, api, around } = parts;
    this.#login = login;
    this.#proxies = proxies;
    this.#around = around;
    this.#api = api;
    this.#published = new Published(api);
    this.#carriers = new CarrierPool({ nowMs: means.nowMs });
    this.#means = means;
    this.#dial = dialerOf(login, means);
  }

  recall({ root }: ClusterView): void {
    this.#api.know(root.proxyAddrs ?? []);
  }

  networkChanged(): void {
    this.#proxies.forget();
    this.#api.renew();
    if (this.#around !== null) {
      this.#carriers.check(this.#around).catch((thrown) => {
        log.warning("Cannot check the carriers", { error: describeError(thrown) });
      });
    }
  }

  findStranger(signal: AbortSignal): Promise<Stranger | null> {
    const { proxy, httpProxy } = this.#login;
    return httpProxy === null ? findPortal(proxy.host, this.#dial, signal) : Promise.resolve(null);
  }

  view(signal: AbortSignal): Promise<ClusterView> {
    return this.#published.ask(0, signal);
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ClusterView> {
    while (!signal.aborted) {
      // Once it did not answer, it is asked at once, so that its return is noticed.
      const { isKnown, isRefused } = this.#published;
      const waitSeconds = isRefused || (isKnown && !this.#isSilent) ? POLL_SECONDS : 0;
      this.#isSilent = true;
      const view = await this.#published.ask(waitSeconds, signal);
      this.#isSilent = false;
      yield view;
    }
  }

  async right({ target, port, proof }: RightRequest, signal: AbortSignal): Promise<Right> {
    const { publicKeyPem, privateKeyPem } = await generateKeyPair();
    const asked = this.#api.appCertificate({
      app: target.app,
      cluster: target.cluster,
      // What took a second factor is for one port, whatever the app takes.
      port: target.ports === null && proof === null ? ANY_PORT : port,
      public_key: publicKeyPem,
      ...(proof === null ? {} : { totp_code: proof.totpCode }),
    }, signal);
    const issued = await asked.finally(() => this.#api.keepUp());
    return new AppRight({
      certificatePem: issued.certificate,
      privateKeyPem,
      ticket: issued.ticket,
      expiresMs: Date.parse(issued.expires),
    });
  }

  async open({ right, target, port }: OpenRequest, signal: AbortSignal): Promise<Flow> {
    if (!(right instanceof AppRight)) {
      throw new TypeError("The right is of another kind of cluster");
    }
    // What the own authorities sign is no agent of a leaf, and the other way round
    const hostCaPems = target.cluster === this.#login.cluster
      ? this.#login.hostCaPems
      : await this.#published.leafAuthorities(target.cluster, signal);
    const opening = this.#carriers.acquire({
      appId: target.appId,
      app: target.app,
      port,
      proxy: this.#login.proxy,
      proxies: this.#proxies,
      credentials: right,
      hostCaPems,
      dial: this.#dial,
    }, signal);
    return await opening.finally(() => this.#api.keepUp());
  }

  reach(nowMs: () => number, signal: AbortSignal): Promise<ProxyFacts["reached"]> {
    return reachProxy(this.#login, { ...this.#means, nowMs }, signal);
  }

  logout(signal: AbortSignal): Promise<void> {
    return endLogin(this.#login, this.#means, signal);
  }

  retire(): Promise<void> {
    this.#api.retire();
    return this.#carriers.retire();
  }

  async close(): Promise<void> {
    this.#api[Symbol.dispose]();
    await this.#carriers.close();
  }
}
