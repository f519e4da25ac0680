/**
 * Logging in again through whoever holds the login, with what a person answers one by one.
 *
 * @module
 */
import { UsageError } from "../../error.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import { login } from "../cluster/login.ts";
import type { Profile } from "../cluster/profile.ts";
import type { Session } from "../cluster/session.ts";
import type { LoginStanding } from "./desk.ts";

const DEADLINE_MS = 30_000;

/** No new login mends these: somebody must lift a lock. */
const NOT_MENDED: ReadonlySet<string> = new Set(["access-locked"]);

/** What a person answers. */
export interface LoginAnswer {
  /** The profile's name. */
  readonly proxy: string;
  readonly password: string;
  /** `null`: they were not asked yet; empty: there is none. */
  readonly totp: string | null;
}

/** What came of an answer; `code`: the cluster takes a code, too, and nothing was tried yet. */
export type LoginStep =
  | { readonly kind: "done"; readonly expiresMs: number }
  | { readonly kind: "code"; readonly isOptional: boolean };

class CodeWanted extends Error {
  constructor(readonly isOptional: boolean) {
    super("The cluster takes a code");
  }
}

/** How a session stands, as far as a new login would mend it. */
export function standingOf({ name, profile, refusal }: Session): LoginStanding {
  const { cluster, user, connector = null } = profile;
  const over = refusal === null || NOT_MENDED.has(refusal) ? null : refusal;
  return { proxy: name, cluster, user, over, ...(connector === null ? {} : { connector }) };
}

/**
 * Logs in as the login before, by the same way, with the same trust.
 *
 * @param earlier `null` if it is gone.
 * @throws UsageError `profile-unknown`; what the driver throws
 */
export async function logInAgain(
  { proxy, password, totp }: LoginAnswer,
  earlier: Profile | null,
  options: {
    readonly configDir: string;
    readonly drivers: readonly ClusterDriver[];
    readonly signal: AbortSignal;
  },
): Promise<LoginStep> {
  if (earlier === null) {
    throw new UsageError("profile-unknown", `Cannot log in again: no login goes by "${proxy}"`, {
      hint: "Run `vnet status` to see your logins",
    });
  }
  try {
    const { expiresMs } = await login({
      ...options,
      proxy: earlier.proxy,
      user: earlier.user,
      caPin: null,
      proxies: null,
      ttlMs: null,
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(DEADLINE_MS)]),
      ask: {
        password: () => Promise.resolve(password),
        totp: (isOptional) =>
          totp === null ? Promise.reject(new CodeWanted(isOptional)) : Promise.resolve(totp),
      },
    });
    return { kind: "done", expiresMs };
  } catch (thrown) {
    if (thrown instanceof CodeWanted) return { kind: "code", isOptional: thrown.isOptional };
    throw thrown;
  }
}
