/**
 * One identity provider. The protocol is openid-client's, which is certified by the OpenID Foundation; it is loaded
 * when the first login wants it.
 *
 * @module
 */
import type { Configuration } from "openid-client";
import type { OidcSpec } from "../../../config/mod.ts";
import type { ProviderClaims } from "../../../identity/mod.ts";
import { readAuthorityFile } from "../../../io/mod.ts";
import { OIDC_CALLBACK_PATH } from "../../../wire/mod.ts";
import { ProviderFault } from "./provider_fault.ts";
import { ProviderFetch } from "./provider_fetch.ts";

type Client = typeof import("openid-client");

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
/** How far the clocks may be apart. */
const CLOCK_SECONDS = 60;
const TIMEOUT_SECONDS = 15;
const DEFAULT_INTERVAL_SECONDS = 5;

/** What only this login knows. */
export interface CodeSecrets {
  readonly port: number;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Somebody of whom the provider has told. */
export interface Known {
  /** Who they are there, for all time. */
  readonly subject: string;
  readonly claims: ProviderClaims;
}

export interface DeviceBegun {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly verificationUri: string;
  readonly verificationUriComplete: string | null;
  readonly expiresSeconds: number;
  readonly intervalSeconds: number;
}

export class Provider implements Disposable {
  readonly #client: Client;
  readonly #config: Configuration;
  readonly #fetch: ProviderFetch;
  readonly #scope: string;

  private constructor(
    made: { client: Client; config: Configuration; fetch: ProviderFetch; scope: string },
  ) {
    this.#client = made.client;
    this.#config = made.config;
    this.#fetch = made.fetch;
    this.#scope = made.scope;
  }

  /**
   * Asks the provider how it is asked.
   *
   * @throws {ProviderFault}
   */
  static async discover(
    spec: OidcSpec,
    options: { readonly deadlineMs?: number } = {},
  ): Promise<Provider> {
    const client = await import("openid-client");
    const { secret, caPems } = await readFiles(spec);
    const fetch = new ProviderFetch(caPems, options);
    const ask: typeof fetch.ask = (...asked) => fetch.ask(...asked);
    try {
      const found = await client.discovery(
        new URL(spec.issuer_url),
        spec.client_id,
        undefined,
        client.None(),
        { [client.customFetch]: ask as never, timeout: TIMEOUT_SECONDS },
      );
      const server = found.serverMetadata();
      // Who answers for several issuers must not answer for one of them here
      if (server.issuer.replace(/\/$/, "") !== spec.issuer_url.replace(/\/$/, "")) {
        throw new ProviderFault("misconfigured", "It says that it is another issuer");
      }
      const methods = server.token_endpoint_auth_methods_supported;
      const isBasic = methods === undefined || methods.includes("client_secret_basic");
      const config = new client.Configuration(
        server,
        spec.client_id,
        { [client.clockTolerance]: CLOCK_SECONDS },
        secret === null
          ? client.None()
          : isBasic
          ? client.ClientSecretBasic(secret)
          : client.ClientSecretPost(secret),
      );
      config[client.customFetch] = ask as never;
      config.timeout = TIMEOUT_SECONDS;
      // The signature is looked at although TLS vouches for the answer
      client.enableNonRepudiationChecks(config);
      const scope = [...new Set(["openid", ...spec.scope])].join(" ");
      return new Provider({ client, config, fetch, scope });
    } catch (thrown) {
      fetch[Symbol.dispose]();
      throw ProviderFault.of(thrown);
    }
  }

  /** Where the browser goes. */
  async authorizationUrl({ port, state, nonce, verifier }: CodeSecrets): Promise<string> {
    const { calculatePKCECodeChallenge, buildAuthorizationUrl } = this.#client;
    try {
      return buildAuthorizationUrl(this.#config, {
        redirect_uri: redirectUri(port),
        scope: this.#scope,
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      }).href;
    } catch (thrown) {
      throw ProviderFault.of(thrown);
    }
  }

  /**
   * Takes what the browser came back with.
   *
   * @throws {ProviderFault}
   */
  async takeCode(query: string, secrets: CodeSecrets): Promise<Known> {
    const url = new URL(`${redirectUri(secrets.port)}?${query}`);
    return await this.#know(() =>
      this.#client.authorizationCodeGrant(this.#config, url, {
        expectedState: secrets.state,
        expectedNonce: secrets.nonce,
        pkceCodeVerifier: secrets.verifier,
        idTokenExpected: true,
      })
    );
  }

  /** @throws {ProviderFault} */
  async beginDevice(): Promise<DeviceBegun> {
    try {
      const begun = await this.#client.initiateDeviceAuthorization(this.#config, {
        scope: this.#scope,
      });
      return {
        deviceCode: begun.device_code,
        userCode: begun.user_code,
        verificationUri: begun.verification_uri,
        verificationUriComplete: begun.verification_uri_complete ?? null,
        expiresSeconds: begun.expires_in,
        intervalSeconds: begun.interval ?? DEFAULT_INTERVAL_SECONDS,
      };
    } catch (thrown) {
      throw ProviderFault.of(thrown);
    }
  }

  /** Asks once whether somebody has confirmed a device. @throws {ProviderFault} `pending` while nobody has */
  async pollDevice(deviceCode: string): Promise<Known> {
    return await this.#know(() =>
      this.#client.genericGrantRequest(this.#config, DEVICE_GRANT, { device_code: deviceCode })
    );
  }

  [Symbol.dispose](): void {
    this.#fetch[Symbol.dispose]();
  }

  async #know(ask: () => ReturnType<Client["genericGrantRequest"]>): Promise<Known> {
    try {
      const tokens = await ask();
      const claims = tokens.claims();
      if (claims === undefined) {
        throw new ProviderFault("untrusted", "It sent no ID token");
      }
      const more = this.#config.serverMetadata().userinfo_endpoint === undefined
        ? {}
        : await this.#client.fetchUserInfo(this.#config, tokens.access_token, claims.sub);
      // What is signed goes before what is not
      return { subject: `${claims.iss} ${claims.sub}`, claims: { ...more, ...claims } };
    } catch (thrown) {
      throw ProviderFault.of(thrown);
    }
  }
}

function redirectUri(port: number): string {
  return `http://127.0.0.1:${port}${OIDC_CALLBACK_PATH}`;
}

async function readFiles(
  { client_secret_file, ca_file }: OidcSpec,
): Promise<{ readonly secret: string | null; readonly caPems: readonly string[] }> {
  try {
    const [secret = null] = client_secret_file === undefined
      ? []
      : (await Deno.readTextFile(client_secret_file)).split("\n").map((line) => line.trim());
    if (secret === "") throw new TypeError("The first line is empty");
    return { secret, caPems: ca_file === undefined ? [] : await readAuthorityFile(ca_file) };
  } catch (thrown) {
    const words = "A file that its resource names cannot be read on the server";
    throw new ProviderFault("misconfigured", words, { cause: thrown });
  }
}
