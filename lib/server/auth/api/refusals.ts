import { AuthError, OsError, VnetError } from "../../../error.ts";
import { type ApiRefusalCode, isApiRefusal, refusalOf, REFUSALS } from "../../../refusal/mod.ts";

/** What a refusal says beside its code; without a hint, the table's. */
interface RefusalText {
  readonly message: string;
  readonly hint?: string;
}

/** Makes the error of a refusal; whoever answers the request turns it into JSON. */
export function refusal(code: ApiRefusalCode, text: RefusalText): AuthError {
  const hint = text.hint ?? refusalOf(code).hint;
  return new AuthError(code, text.message, hint === undefined ? {} : { hint });
}

/** The answer to a request that failed. What is not a refusal is `internal`, and says nothing of the cause. */
export function refusalResponse(thrown: unknown): Response {
  const known = codeOf(thrown);
  const code = known ?? "internal";
  // What the operating system said holds paths of the server
  const told = known !== null && thrown instanceof VnetError && !(thrown instanceof OsError)
    ? thrown
    : null;
  return Response.json({
    error: {
      code,
      message: told?.message.slice(0, 1024) ?? "The cluster cannot do this at the moment",
      ...(told === null || told.hint === null ? {} : { hint: told.hint }),
      ...(code === "mfa-required" ? { challenge: { kind: "totp" } } : {}),
    },
  }, { status: REFUSALS[code].httpStatus, headers: { "cache-control": "no-store" } });
}

/** Whether a failure is our own and belongs in the log. That others want too much is not: see {@link tooMuchOf}. */
export function isOurs(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === null || (REFUSALS[code].httpStatus >= 500 && code !== "busy");
}

/** @returns The code of a refusal that came of too many requests, which are counted and not logged; `null` for others. */
export function tooMuchOf(thrown: unknown): ApiRefusalCode | null {
  const code = codeOf(thrown);
  return code === "busy" || (code !== null && REFUSALS[code].httpStatus === 429) ? code : null;
}

function codeOf(thrown: unknown): ApiRefusalCode | null {
  return thrown instanceof VnetError && isApiRefusal(thrown.code) ? thrown.code : null;
}
