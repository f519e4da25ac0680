/**
 * What a certificate of a user says beside the name: a private extension holding compact JSON. A certificate
 * without it, or with the other kind, is never taken for one with it.
 *
 * @module
 */
import { parseJson } from "../json.ts";
import { z } from "zod";
import type { Person } from "../config/mod.ts";

/**
 * The object identifier of the extension. No registered arc is ours, so it lies under the UUID arc.
 *
 * @see ITU-T X.667
 */
export const CLAIMS_OID = "2.25.1986946420";

/**
 * The object identifier of a second extension, with what else is known of an app certificate's user. Whoever does not
 * know it decides by the certificate's own end, and knows of no claims.
 */
export const GROUNDS_OID = "2.25.1986946421";

const name = z.string().min(1).max(253);
const sessionId = z.string().regex(/^[0-9a-f]{32}$/);
const wholeMs = z.int().min(0);

const UserClaimsSchema = z.strictObject({
  kind: z.literal("user"),
  cluster: name,
  session_id: sessionId,
});

const AppClaimsSchema = z.strictObject({
  kind: z.literal("app"),
  cluster: name,
  app: name,
  public_addr: name,
  port: z.int().min(0).max(65_535),
  roles: z.array(name).max(256),
  session_id: sessionId,
  login_id: sessionId,
  mfa_time_ms: wholeMs.optional(),
});

/** Unknown keys are let be: a newer cluster may say more. */
const GroundsSchema = z.object({
  login_expires_ms: wholeMs,
  claims: z.record(z.string().max(64), z.array(z.string().max(256)).max(64)).optional(),
});

/** A login: the session it belongs to. */
export interface UserClaims {
  readonly kind: "user";
  readonly cluster: string;
  readonly sessionId: string;
}

/** The right to one app: which, at which port, and on what grounds. */
export interface AppClaims {
  readonly kind: "app";
  /** The cluster the app is in. */
  readonly cluster: string;
  readonly app: string;
  readonly publicAddr: string;
  /** The one port this is good for; 0 is any. */
  readonly port: number;
  readonly roles: readonly string[];
  readonly sessionId: string;
  /** The session of the login this was drawn from. */
  readonly loginId: string;
  /** When the user last proved the second factor for this; `null` if it was not asked for. */
  readonly mfaTimeMs: number | null;
  /** What is known beside; absent in the certificates of older clusters. */
  readonly grounds?: Grounds;
}

/** Of an app certificate's user. */
export interface Grounds {
  /** When the login ends. */
  readonly loginExpiresMs: number;
  /** What is said of the user, for roles that go by it. */
  readonly claims: Person["claims"];
}

export type Claims = UserClaims | AppClaims;

/** Writes the extension's value. */
export function encodeClaims(claims: Claims): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(
    claims.kind === "user"
      ? { kind: claims.kind, cluster: claims.cluster, session_id: claims.sessionId }
      : {
        kind: claims.kind,
        cluster: claims.cluster,
        app: claims.app,
        public_addr: claims.publicAddr,
        port: claims.port,
        roles: claims.roles,
        session_id: claims.sessionId,
        login_id: claims.loginId,
        ...(claims.mfaTimeMs === null ? {} : { mfa_time_ms: claims.mfaTimeMs }),
      },
  ));
}

/** Writes the second extension's value. @returns `null` if there is nothing to say. */
export function encodeGrounds(claims: Claims): Uint8Array<ArrayBuffer> | null {
  if (claims.kind !== "app" || claims.grounds === undefined) return null;
  const { loginExpiresMs, claims: said } = claims.grounds;
  return new TextEncoder().encode(JSON.stringify({
    login_expires_ms: loginExpiresMs,
    ...(Object.keys(said).length === 0 ? {} : { claims: said }),
  }));
}

/**
 * Reads both extensions of a certificate; the second is `null` if it is not there.
 *
 * @returns The claims, or `null` if either is not what we write.
 */
export function parseExtensions(value: Uint8Array, more: Uint8Array | null): Claims | null {
  const claims = parseClaims(value);
  if (claims === null || more === null) return claims;
  const { data } = GroundsSchema.safeParse(parseJson(more));
  if (claims.kind !== "app" || data === undefined) return null;
  const { login_expires_ms: loginExpiresMs, claims: said = {} } = data;
  return { ...claims, grounds: { loginExpiresMs, claims: said } };
}

/**
 * Reads the extension's value.
 *
 * @returns The claims, or `null` if the bytes are not exactly what `encodeClaims` writes.
 */
export function parseClaims(value: Uint8Array): Claims | null {
  const said = parseJson(value);
  const user = UserClaimsSchema.safeParse(said);
  if (user.success) {
    return { kind: "user", cluster: user.data.cluster, sessionId: user.data.session_id };
  }
  const app = AppClaimsSchema.safeParse(said);
  if (!app.success) return null;
  return {
    kind: "app",
    cluster: app.data.cluster,
    app: app.data.app,
    publicAddr: app.data.public_addr,
    port: app.data.port,
    roles: app.data.roles,
    sessionId: app.data.session_id,
    loginId: app.data.login_id,
    mfaTimeMs: app.data.mfa_time_ms ?? null,
  };
}
