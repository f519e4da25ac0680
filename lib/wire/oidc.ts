/**
 * Logging in by an identity provider. The server asks the provider; the client opens the browser and brings back what
 * the browser was sent to it with.
 *
 * @module
 */
import { z } from "zod";

const pem = z.string().max(65_536);
const url = z.string().max(8192).refine(isHttps, { error: "an https:// URL" });

/** An identity provider as anybody may know it: `auth.oidc` of `/webapi/find`. */
export const OidcOfferSchema = z.object({
  name: z.string().min(1).max(64),
  display: z.string().max(64),
  /** Whether hosts without a browser may log in, too. */
  device_flow: z.boolean().optional(),
});
export type OidcOffer = z.infer<typeof OidcOfferSchema>;

/** The login as the server wrote it down for itself; nobody else can read or change it. */
const sealed = z.string().min(1).max(8192).regex(/^[A-Za-z0-9_-]+$/);

/** `POST /v1/login/oidc/begin`. The certificate will be for this key and no other. */
export const OidcBeginRequestSchema = z.object({
  connector: z.string().min(1).max(64),
  tls_public_key: pem,
  ttl_seconds: z.int().min(60).max(31_536_000).optional(),
  /** Where the client listens, RFC 8252 section 7.3. Absent: it has no browser, and asks for the device flow. */
  port: z.int().min(1).max(65_535).optional(),
});
export type OidcBeginRequest = z.infer<typeof OidcBeginRequestSchema>;

export const OidcBeginResponseSchema = z.union([
  z.object({
    login: sealed,
    authorization_url: url,
    /** What the browser must come back with. */
    state: z.string().min(16).max(128),
  }),
  z.object({
    login: sealed,
    /** @see RFC 8628 section 3.2 */
    device: z.object({
      user_code: z.string().min(1).max(64),
      verification_uri: url,
      verification_uri_complete: url.optional(),
      expires_in: z.int().min(1).max(3600),
      interval: z.int().min(1).max(60),
    }),
  }),
]);
export type OidcBeginResponse = z.infer<typeof OidcBeginResponseSchema>;

/** `POST /v1/login/oidc/finish`. Answered as `/v1/login/finish`, or with {@link OidcPendingSchema}. */
export const OidcFinishRequestSchema = z.object({
  login: sealed,
  /** The query that the browser came back with; absent in the device flow. */
  query: z.string().max(8192).optional(),
});
export type OidcFinishRequest = z.infer<typeof OidcFinishRequestSchema>;

/** Nobody has confirmed it yet: to be asked again after so many seconds. */
export const OidcPendingSchema = z.object({ pending_seconds: z.int().min(1).max(60) });
export type OidcPending = z.infer<typeof OidcPendingSchema>;

/** The path of the address that the browser comes back to: `http://127.0.0.1:PORT/callback`. */
export const OIDC_CALLBACK_PATH = "/callback";

function isHttps(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === "https:";
}
