/**
 * How long certificates live: every clamp there is. The functions that sign take wishes and ask here.
 *
 * @module
 */

/** From when to when a certificate holds; whole seconds, in milliseconds since 1970. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How far certificates are backdated, for clocks that run behind the cluster's. */
export const BACKDATE_MS = MINUTE_MS;
/** The longest life of a user certificate, whatever is asked and whatever the roles say. */
export const MAX_USER_MS = 12 * HOUR_MS;
/** The longest life of an app certificate. */
export const MAX_APP_MS = HOUR_MS;
/** The life of agent and proxy certificates; they are renewed at half of it. */
const HOST_MS = DAY_MS;
const AUTHORITY_MS = 10 * 365 * DAY_MS;

/** A user certificate: the least of what is wished, what the roles allow, and 12 hours. */
export function userValidity(
  nowMs: number,
  wish: { readonly requestedMs: number | null; readonly roleMaxMs: number | null },
): Validity {
  return validity(
    nowMs,
    Math.min(wish.requestedMs ?? MAX_USER_MS, wish.roleMaxMs ?? MAX_USER_MS, MAX_USER_MS),
  );
}

/** An app certificate: an hour, or what is left of the user certificate it is issued on. */
export function appValidity(nowMs: number, userNotAfterMs: number): Validity {
  return validity(nowMs, Math.min(MAX_APP_MS, userNotAfterMs - nowMs));
}

/** An agent's or a proxy's certificate: 24 hours. */
export function hostValidity(nowMs: number): Validity {
  return validity(nowMs, HOST_MS);
}

/** A certificate authority: ten years. */
export function authorityValidity(nowMs: number): Validity {
  return validity(nowMs, AUTHORITY_MS);
}

/** When a certificate is due for renewal: at half its life. */
export function renewalDueMs(held: Validity): number {
  return held.notBeforeMs + (held.notAfterMs - held.notBeforeMs) / 2;
}

function validity(nowMs: number, lifeMs: number): Validity {
  if (!(lifeMs > 0)) throw new RangeError(`Not a lifetime: ${lifeMs} ms`);
  const wholeSeconds = (ms: number) => Math.floor(ms / 1000) * 1000;
  return {
    notBeforeMs: wholeSeconds(nowMs - BACKDATE_MS),
    notAfterMs: wholeSeconds(nowMs + lifeMs),
  };
}
