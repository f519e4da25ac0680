/**
 * What a certificate of a user says beside the name: a private extension holding compact JSON. A certificate
 * without it, or with the other kind, is never taken for one with it.
 *
 * @module
 */
import { parseJson } from "../json.ts";
import { z } from "zod";

/**
 * The object identifier of the extension. No registered arc is ours, so it lies under the UUID arc.
 *
 * @see ITU-T X.667
 */
export const CLAIMS_OID = "2.25.1986946420";

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
