/**
 * An identity provider: a certified one, on loopback, with a certificate of a company's own authority. Whoever logs in
 * is whom they say; what is said of them is the test's.
 *
 * @module
 */
import https from "node:https";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";
import { CompanyCa } from "./company_ca.ts";

export const CLIENT_ID = "vnet";
export const CLIENT_SECRET = "a secret of the provider's, 32 letters";

export class TestProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly caPem: string;
  readonly provider: Provider;
  readonly #server: https.Server;

  private constructor(
    made: { issuer: string; caPem: string; provider: Provider; server: https.Server },
  ) {
    this.issuer = made.issuer;
    this.caPem = made.caPem;
    this.provider = made.provider;
    this.#server = made.server;
  }

  /** @param people What is said of each, by what they log in as. */
  static async start(
    people: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
    { secret = CLIENT_SECRET } = {},
  ): Promise<TestProvider> {
    const ca = await CompanyCa.create();
    const { certificatePem, privateKeyPem } = await ca.issue(["127.0.0.1", "localhost"]);
    let provider: Provider | null = null;
    const server = https.createServer(
      { cert: certificatePem, key: privateKeyPem },
      (request, response) => void provider?.callback()(request, response),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    provider = new Provider(issuer, {
      clients: [{
        client_id: CLIENT_ID,
        client_secret: secret,
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
      }],
      pkce: { required: () => true },
      features: { deviceFlow: { enabled: true } },
      claims: {
        openid: ["sub"],
        profile: ["preferred_username"],
        email: ["email", "email_verified"],
        groups: ["groups"],
      },
      scopes: ["openid", "profile", "email", "groups"],
      cookies: { keys: ["a key of the provider's cookies"] },
      findAccount: (_context: unknown, id: string) =>
        people[id] === undefined
          ? undefined
          : { accountId: id, claims: () => Promise.resolve({ sub: id, ...people[id] }) },
    });
    return new TestProvider({ issuer, caPem: ca.certificatePem, provider, server });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** A browser without a screen: keeps cookies, follows, fills in the provider's own forms. */
export class PlainBrowser implements Disposable {
  readonly #client: Deno.HttpClient;
  readonly #cookies = new Map<string, Map<string, string>>();
  /** Every address it was at, newest last. */
  readonly visited: string[] = [];

  constructor(caPem: string) {
    this.#client = Deno.createHttpClient({ caCerts: [caPem] });
  }

  /** Goes to an address, and on where it is sent. */
  async go(url: string, form: Readonly<Record<string, string>> | null = null): Promise<string> {
    this.visited.push(url);
    const { host } = new URL(url);
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    const response = await fetch(url, {
      method: form === null ? "GET" : "POST",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form === null ? {} : { body: new URLSearchParams({ ...form }) }),
      redirect: "manual",
      client: this.#client,
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    const text = await response.text();
    const location = response.headers.get("location");
    return location === null ? text : await this.go(new URL(location, url).href);
  }

  /** Logs in and agrees, in the provider's own pages. @returns What the last page says. */
  async logIn(url: string, login: string): Promise<string> {
    let page = await this.go(url);
    for (let step = 0; step < 6; step++) {
      const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
      if (action === undefined) return page;
      const hidden = [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
        .map(([, name, value]) => [name!, value!] as const);
      page = await this.go(new URL(action, this.visited.at(-1)).href, {
        ...Object.fromEntries(hidden),
        ...(page.includes('name="login"') ? { login, password: "any" } : {}),
      });
    }
    return page;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
