import type { AppClaims } from "./claims.ts";
import type { Principal } from "./principal.ts";

/**
 * Names the right that an app certificate gives, as text: two certificates give the same right when the text is equal,
 * and then a connection that was opened with one may be used for the other. All that an agent decides by counts: the
 * user and what is said of them, the login, the roles, app, port, and when the second factor was shown. What only the certificate itself has
 * does not: its key, its dates, its own session. A login that renews a certificate keeps the right; another login,
 * even of the same user, has another.
 */
export function rightOf(principal: Principal, claims: AppClaims): string {
  return JSON.stringify([
    principal.kind,
    principal.cluster,
    principal.name,
    claims.loginId,
    claims.cluster,
    claims.app,
    claims.port,
    [...claims.roles].sort(),
    claims.mfaTimeMs,
    ...(claims.grounds === undefined ? [] : [Object.entries(claims.grounds.claims).sort()]),
  ]);
}
