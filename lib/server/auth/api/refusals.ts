import { AuthError, OsError, VnetError } from "../../../error.ts";

/** Every code the API refuses with, and the HTTP status that fits. Listed in docs/errors.md. */
const STATUS = {
  "request-malformed": 400,
  "public-key-unsupported": 400,
  "certificate-required": 401,
  "certificate-malformed": 401,
  "certificate-foreign": 401,
  "certificate-expired": 401,
  "certificate-not-yet-valid": 401,
  "session-ended": 401,
  "agent-unknown": 401,
  "login-failed": 401,
  "access-locked": 403,
  "port-not-allowed": 403,
  "mfa-required": 403,
  "mfa-failed": 403,
  "mfa-not-enrolled": 403,
  "token-invalid": 403,
  "token-out-of-scope": 403,
  "app-unknown": 404,
  "cluster-unknown": 404,
  "not-found": 404,
  "request-timeout": 408,
  "resource-changed": 409,
  "resource-exists": 409,
  "resource-in-use": 409,
  "request-too-large": 413,
  "resource-invalid": 422,
  "config-invalid": 422,
  "password-weak": 422,
  "login-locked": 429,
  "rate-limited": 429,
  "internal": 500,
  "audit-unwritable": 503,
  "store-unusable": 503,
  "busy": 503,
} as const;

export type RefusalCode = keyof typeof STATUS;

/** What a refusal says beside its code. */
export interface RefusalText {
  readonly message: string;
  readonly hint?: string;
}

/** Makes the error of a refusal; whoever answers the request turns it into JSON. */
export function refusal(code: RefusalCode, text: RefusalText): AuthError {
  return new AuthError(code, text.message, text.hint === undefined ? {} : { hint: text.hint });
}

/** The answer to a request that failed. What is not a refusal is `internal`, and says nothing of the cause. */
export function refusalResponse(thrown: unknown): Response {
  const known = thrown instanceof VnetError && Object.hasOwn(STATUS, thrown.code);
  const code = known ? thrown.code as RefusalCode : "internal";
  // What the operating system said holds paths of the server
  const told = known && !(thrown instanceof OsError);
  return Response.json({
    error: {
      code,
      message: told ? thrown.message.slice(0, 1024) : "The cluster cannot do this at the moment",
      ...(told && thrown.hint !== null ? { hint: thrown.hint } : {}),
      ...(code === "mfa-required" ? { challenge: { kind: "totp" } } : {}),
    },
  }, { status: STATUS[code], headers: { "cache-control": "no-store" } });
}

/** Whether a failure is our own and belongs in the log. */
export function isOurs(thrown: unknown): boolean {
  return !(thrown instanceof VnetError) || !Object.hasOwn(STATUS, thrown.code) ||
    STATUS[thrown.code as RefusalCode] >= 500;
}
