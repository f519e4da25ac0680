import { ProviderSilent } from "./provider_fetch.ts";

/**
 * What went wrong with a provider: `silent`: it cannot be asked; `misconfigured`: it does not know us as we are
 * written down; `untrusted`: what it says is not to be believed; `clock`: its clock or ours; `denied`: it, or the
 * person, says no; `expired`: too late, or a second time; `pending`: nobody has confirmed a device yet.
 */
export type ProviderFaultKind =
  | "silent"
  | "misconfigured"
  | "untrusted"
  | "clock"
  | "denied"
  | "expired"
  | "pending";

/** By the error codes of RFC 6749, RFC 8628 and OpenID Connect. */
const BY_ERROR: ReadonlyMap<string, ProviderFaultKind> = new Map(Object.entries({
  access_denied: "denied",
  login_required: "denied",
  consent_required: "denied",
  interaction_required: "denied",
  account_selection_required: "denied",
  invalid_grant: "expired",
  expired_token: "expired",
  authorization_pending: "pending",
  slow_down: "pending",
  temporarily_unavailable: "silent",
  server_error: "silent",
}));

export class ProviderFault extends Error {
  readonly kind: ProviderFaultKind;
  /** Whether only a browser says that the provider says so. */
  readonly isHearsay: boolean;

  constructor(
    kind: ProviderFaultKind,
    words: string,
    { isHearsay = false, ...options }: ErrorOptions & { readonly isHearsay?: boolean } = {},
  ) {
    super(words, options);
    this.kind = kind;
    this.isHearsay = isHearsay;
  }

  /** Reads what openid-client throws. */
  static of(thrown: unknown): ProviderFault {
    for (let cause = thrown; cause instanceof Error; cause = cause.cause) {
      if (cause instanceof ProviderFault) return cause;
      if (cause instanceof ProviderSilent) {
        return new ProviderFault("silent", cause.message, { cause: thrown });
      }
    }
    const { error, code, status } = (thrown ?? {}) as {
      readonly error?: unknown;
      readonly code?: unknown;
      readonly status?: unknown;
    };
    const options = { cause: thrown, isHearsay: code === "OAUTH_AUTHORIZATION_RESPONSE_ERROR" };
    if (typeof error === "string") {
      const name = /^[a-z_]{1,64}$/.test(error) ? error : "an error of its own";
      return new ProviderFault(BY_ERROR.get(error) ?? "misconfigured", `It says ${name}`, options);
    }
    if (code === "OAUTH_WWW_AUTHENTICATE_CHALLENGE") {
      return new ProviderFault("misconfigured", "It says invalid_client", options);
    }
    if (code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT") {
      return new ProviderFault("silent", "It did not answer in time", options);
    }
    if (code === "OAUTH_JWT_TIMESTAMP_CHECK_FAILED") {
      return new ProviderFault("clock", "The times in its ID token do not hold now", options);
    }
    if (code === "OAUTH_RESPONSE_IS_NOT_CONFORM" || status !== undefined) {
      return new ProviderFault("silent", "It answers with an error", options);
    }
    const words = thrown instanceof Error ? thrown.message : "It answers with something else";
    return new ProviderFault("untrusted", words.slice(0, 200), options);
  }
}
