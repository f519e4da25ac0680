/**
 * An identity provider that speaks the protocol by hand, so that it can break any of it.
 *
 * @module
 */
import { CompanyCa } from "./company_ca.ts";

type Json = Readonly<Record<string, unknown>>;

/** What is wrong with it. */
export interface Twist {
  readonly metadata?: Json;
  /** Over what an ID token says. */
  readonly claims?: Json;
  readonly header?: Json;
  readonly signature?: "wrong" | "none";
  readonly userinfo?: Json;
  /** Instead of the token endpoint's answer. */
  readonly token?: () => Response | Promise<Response>;
  /** Instead of the metadata. */
  readonly discovery?: () => Response | Promise<Response>;
  readonly keys?: () => Response;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export class HostileProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly caPem: string;
  twist: Twist = {};
  /** What the token endpoint was sent, newest last. */
  readonly asked: URLSearchParams[] = [];
  readonly #server: Deno.HttpServer;
  readonly #keys: CryptoKeyPair;
  readonly #nonces = new Map<string, string>();
  #codes = 0;

  private constructor(
    made: { caPem: string; keys: CryptoKeyPair; certificate: { cert: string; key: string } },
  ) {
    this.caPem = made.caPem;
    this.#keys = made.keys;
    this.#server = Deno.serve({
      ...made.certificate,
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
    }, (request) => this.#answer(request));
    this.issuer = `https://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}`;
  }

  static async start(): Promise<HostileProvider> {
    const ca = await CompanyCa.create();
    const { certificatePem: cert, privateKeyPem: key } = await ca.issue(["127.0.0.1"]);
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    return new HostileProvider({ caPem: ca.certificatePem, keys, certificate: { cert, key } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { twist, issuer } = this;
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return await twist.discovery?.() ?? Response.json({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/me`,
          jwks_uri: `${issuer}/keys`,
          device_authorization_endpoint: `${issuer}/device`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["ES256", "none", "HS256"],
          authorization_response_iss_parameter_supported: true,
          ...twist.metadata,
        });
      case "/keys": {
        const key = await crypto.subtle.exportKey("jwk", this.#keys.publicKey);
        return twist.keys?.() ?? Response.json({ keys: [{ ...key, kid: "1", use: "sig" }] });
      }
      case "/authorize": {
        const code = `code-${++this.#codes}`;
        this.#nonces.set(code, url.searchParams.get("nonce") ?? "");
        const back = new URL(url.searchParams.get("redirect_uri") ?? "");
        const state = url.searchParams.get("state") ?? "";
        back.search = new URLSearchParams({ code, state, iss: issuer }).toString();
        return Response.redirect(back.href, 302);
      }
      case "/token": {
        const asked = new URLSearchParams(await request.text());
        this.asked.push(asked);
        return await twist.token?.() ?? Response.json({
          access_token: "access",
          token_type: "Bearer",
          expires_in: 60,
          id_token: await this.#idToken(this.#nonces.get(asked.get("code") ?? "") ?? null),
        });
      }
      case "/me":
        return Response.json({ sub: "ann", groups: ["dev"], ...twist.userinfo });
      default:
        return new Response("nothing", { status: 404 });
    }
  }

  async #idToken(nonce: string | null): Promise<string> {
    const { claims, header, signature } = this.twist;
    const now = Math.floor(Date.now() / 1000);
    const parts = [
      { alg: "ES256", kid: "1", ...(signature === "none" ? { alg: "none" } : {}), ...header },
      {
        ...{ iss: this.issuer, aud: "vnet", sub: "ann", iat: now, exp: now + 60 },
        ...(nonce === null ? {} : { nonce }),
        preferred_username: "ann",
        ...claims,
      },
    ].map((part) => encode(new TextEncoder().encode(JSON.stringify(part)))).join(".");
    if (signature === "none") return `${parts}.`;
    const signed = new Uint8Array(
      await crypto.subtle.sign(
        ALGORITHM,
        this.#keys.privateKey,
        new TextEncoder().encode(signature === "wrong" ? `${parts}x` : parts),
      ),
    );
    return `${parts}.${encode(signed)}`;
  }
}

function encode(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
