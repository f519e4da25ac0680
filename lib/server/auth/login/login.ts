import type { SecondFactor } from "../../../config/mod.ts";
import type { LoginFinishRequest, LoginFinishResponse } from "../../../wire/mod.ts";
import { isPrincipalName } from "../../../identity/mod.ts";
import { importPublicKey } from "../../../io/mod.ts";
import { type Source, sourceOf } from "../../../ip/mod.ts";
import { LoginPolicy, type LoginTry } from "../../limits/mod.ts";
import type { Credential, LockoutRule, LoginAttempt, Store } from "../../store/mod.ts";
import type { Directory } from "../directory.ts";
import type { LoginOpener, PublicKey } from "./opener.ts";
import type { PasswordHasher } from "./password.ts";
import type { FailureAudit } from "./failure_audit.ts";
import { refuseUntil } from "./rate.ts";
import { refusal } from "../api/refusals.ts";
import { findTotpStep } from "./totp.ts";
import type { Peer } from "../types.ts";

const MINUTE_MS = 60_000;
/** Five failures in half an hour keep a user out from one source for twenty minutes. */
const LOCKOUT: LockoutRule = { limit: 5, windowMs: 30 * MINUTE_MS, lockMs: 20 * MINUTE_MS };

interface LoginsOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly failures: FailureAudit;
  readonly hasher: PasswordHasher;
  readonly opener: LoginOpener;
  readonly secondFactor: SecondFactor;
  readonly nowMs: () => number;
}

/** A login that may be tried. */
interface Begun {
  /** What its failures are counted under. */
  readonly attempt: LoginAttempt;
  readonly source: Source;
  readonly peer: Peer;
  readonly policy: LoginTry;
}

/**
 * Logs users in. Whoever fails learns that it failed, not why: whether there is such a user changes neither the words
 * nor what is done.
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #policy = new LoginPolicy();

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** @throws {AuthError} `login-failed`, `login-locked`, `access-locked` and what the parts throw. */
  async finish(request: LoginFinishRequest, peer: Peer): Promise<LoginFinishResponse> {
    const publicKey = await importPublicKey(request.tls_public_key);
    if (publicKey === null) {
      throw refusal("public-key-unsupported", { message: "The TLS key is not a P-256 key" });
    }
    const { nowMs } = this.#options;
    const begun = await this.#begin(isPrincipalName(request.user) ? request.user : "", peer);
    let hasFailed = false;
    try {
      const credential = await this.#authenticate(request, begun);
      hasFailed = credential === null;
      if (credential !== null) return await this.#open(credential, publicKey, { request, peer });
    } finally {
      begun.policy.end(hasFailed ? "failed" : "other", nowMs());
    }
    throw loginFailed();
  }

  /**
   * Checks the second factor once more, for one app session.
   *
   * @throws {AuthError} `mfa-not-enrolled`, `mfa-failed`, `login-locked`.
   */
  async confirm(user: string, code: string, peer: Peer): Promise<void> {
    const { store, nowMs } = this.#options;
    const attempt = { user, source: sourceOf(peer.address).host };
    await this.#refuseLocked(attempt);
    const credential = await store.credentials.get(user);
    if (credential === null || credential.totpSecret === null) {
      throw refusal("mfa-not-enrolled", {
        message: "No second factor is enrolled",
        ...(this.#options.directory.users.has(user) ? {} : {
          hint:
            "You log in through an identity provider, whose second factor does not count for single connections: ask an administrator for a user of the cluster's own",
        }),
      });
    }
    if (await this.#takeCode(credential, code)) return;
    await store.failures.record(attempt, nowMs(), LOCKOUT);
    throw refusal("mfa-failed", { message: "The code is wrong, or was used before" });
  }

  /** An administrator gave the user a new start. */
  forgive(user: string): void {
    this.#policy.forgive(user);
  }

  /** Refuses, before anything dear is done, whoever has to wait. */
  async #begin(user: string, peer: Peer): Promise<Begun> {
    const { store, nowMs } = this.#options;
    const source = sourceOf(peer.address);
    const isKnown = await store.knownSources.has({ user, source: source.host });
    // Of a stranger the whole line counts; a neighbour's failures must not lock out who is known here
    const attempt = { user, source: isKnown ? source.host : source.site };
    await this.#refuseLocked(attempt);
    const policy = this.#policy.begin({ user, source, isKnown }, nowMs());
    if (policy.kind === "go") return { attempt, source, peer, policy };
    if (policy.why === "source") refuseUntil(policy.ms);
    throw tooManyFailed(policy.ms / 1000, "s");
  }

  /** @returns What the user was known by, once password and second factor are right; `null` if they are not. */
  async #authenticate(request: LoginFinishRequest, begun: Begun): Promise<Credential | null> {
    const { store, directory, hasher, nowMs, failures } = this.#options;
    const { attempt, policy: { lane }, source: { network }, peer } = begun;
    const { user } = attempt;
    const found = await store.credentials.get(user);
    const credential = directory.users.has(user) ? found : null;
    const hash = credential?.passwordHash ?? null;
    const isPassword = await hasher.verify(request.password, hash, { lane, network });
    // Guesses that ran beside those that locked the pair out must not be answered either
    await this.#refuseLocked(attempt);
    if (isPassword && credential !== null) {
      if (await this.#isSecondFactor(credential, request.totp_code)) {
        await store.failures.clear(attempt);
        return credential;
      }
    }
    const lockedUntilMs = await store.failures.record(attempt, nowMs(), LOCKOUT);
    await failures.write({
      event: lockedUntilMs === null ? "login.failed" : "login.locked",
      ...(user === "" ? {} : { user }),
      source: peer.address,
      reason: credential === null ? "user" : isPassword ? "second factor" : "password",
    });
    return null;
  }

  /** Begins the session of somebody who proved who they are. */
  #open(
    credential: Credential,
    publicKey: PublicKey,
    { request, peer }: { readonly request: LoginFinishRequest; readonly peer: Peer },
  ): Promise<LoginFinishResponse> {
    const { user } = credential;
    const { store, directory, opener } = this.#options;
    return opener.open({
      person: { user, claims: directory.claimsOf(user) },
      roles: directory.roleNamesOf(user) ?? [],
      way: {},
      confirm: async () => {
        // A reset ends the sessions there are: this one must not come after it with what was good before
        const current = await store.credentials.get(user);
        if (current?.passwordHash !== credential.passwordHash) throw loginFailed();
      },
      opened: () => Promise.resolve(),
    }, { publicKey, ttlSeconds: request.ttl_seconds ?? null, peer });
  }

  async #refuseLocked(attempt: LoginAttempt): Promise<void> {
    const { store, nowMs } = this.#options;
    const untilMs = await store.failures.lockedUntil(attempt, nowMs());
    if (untilMs !== null) throw tooManyFailed((untilMs - nowMs()) / MINUTE_MS, "min");
  }

  async #isSecondFactor(credential: Credential, code: string | undefined): Promise<boolean> {
    switch (this.#options.secondFactor) {
      case "off":
        return true;
      case "optional":
        if (credential.totpSecret === null) return true;
        break;
      case "otp":
        break;
    }
    return code !== undefined && await this.#takeCode(credential, code);
  }

  /** A code is good once: its step, and those before it, are used up. */
  async #takeCode(credential: Credential, code: string): Promise<boolean> {
    if (credential.totpSecret === null) return false;
    const step = findTotpStep(credential.totpSecret, code, this.#options.nowMs());
    return step !== null &&
      await this.#options.store.credentials.takeTotpStep(credential.user, step);
  }
}

function tooManyFailed(wait: number, unit: "s" | "min"): Error {
  return refusal("login-locked", {
    message: "Too many logins failed",
    hint: `Try again in ${Math.ceil(wait)} ${unit}`,
  });
}

function loginFailed(): Error {
  return refusal("login-failed", { message: "The login failed" });
}
