import { Secret, TOTP } from "otpauth";
import { randomBytes } from "node:crypto";
import { equalSecret } from "../../../io/mod.ts";

const PERIOD_SECONDS = 30;
/** Codes of the step before and the step after are taken too, for clocks that differ. */
const WINDOW = [-1, 0, 1] as const;
const SECRET_BYTES = 20;

/** Makes a secret to enroll, base32. */
export function newTotpSecret(): string {
  return new Secret({ buffer: new Uint8Array(randomBytes(SECRET_BYTES)).buffer }).base32;
}

/** The URI that authenticator programs read. It holds the secret. */
export function totpUri(
  secret: string,
  names: { readonly issuer: string; readonly user: string },
): string {
  return totp(secret, { issuer: names.issuer, label: names.user }).toString();
}

/**
 * Finds the step a code belongs to.
 *
 * @returns The number of 30-second steps since 1970, or `null` if the code fits none near now.
 * @see RFC 6238
 */
export function findTotpStep(secret: string, code: string, nowMs: number): number | null {
  const currentStep = Math.floor(nowMs / 1000 / PERIOD_SECONDS);
  const generator = totp(secret);
  const given = new TextEncoder().encode(code);
  let found: number | null = null;
  for (const offset of WINDOW) {
    const step = currentStep + offset;
    const expected = generator.generate({ timestamp: step * PERIOD_SECONDS * 1000 });
    // Every step is compared, so that the time says nothing
    if (equalSecret(new TextEncoder().encode(expected), given)) found ??= step;
  }
  return found;
}

function totp(secret: string, names: { issuer?: string; label?: string } = {}): TOTP {
  return new TOTP({
    ...names,
    secret: Secret.fromBase32(secret),
    algorithm: "SHA1",
    digits: 6,
    period: PERIOD_SECONDS,
  });
}
