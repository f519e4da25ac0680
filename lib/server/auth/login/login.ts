import type { SecondFactor } from "../../../config/mod.ts";
import type { LoginFinishRequest, LoginFinishResponse } from "../../../wire/mod.ts";
import { isPrincipalName, maxSessionMs } from "../../../identity/mod.ts";
import {
  type Authority,
  importPublicKey,
  issueUserCertificate,
  randomHex,
} from "../../../io/mod.ts";
import { sourceOf } from "../../../ip/mod.ts";
import { getLogger } from "../../../log.ts";
import type { Credential, LockoutRule, Store } from "../../store/mod.ts";
import type { Directory } from "../directory.ts";
import type { PasswordHasher } from "./password.ts";
import { RateLimit } from "./rate.ts";
import { refusal } from "../api/refusals.ts";
import { findTotpStep } from "./totp.ts";
import type { AuditEvent, AuditLog, Peer } from "../types.ts";

const log = getLogger("server", "auth");

const MINUTE_MS = 60_000;
/** Five failures in half an hour keep a user out from one source for twenty minutes. */
const LOCKOUT: LockoutRule = { limit: 5, windowMs: 30 * MINUTE_MS, lockMs: 20 * MINUTE_MS };
/** Attempts by one source, whoever they are for. */
const ATTEMPTS = { burst: 30, perSecond: 0.5 };

interface LoginsOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly audit: AuditLog;
  readonly hasher: PasswordHasher;
  readonly userCa: Authority;
  readonly hostCaPem: string;
  readonly cluster: string;
  readonly secondFactor: SecondFactor;
  readonly nowMs: () => number;
}

/** Logs users in. Whoever fails learns that it failed, not why. */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #attempts = new RateLimit(ATTEMPTS);

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** @throws {AuthError} `login-failed`, `login-locked`, `access-locked` and what the parts throw. */
  async finish(request: LoginFinishRequest, peer: Peer): Promise<LoginFinishResponse> {
    this.#attempts.take(sourceOf(peer.address), this.#options.nowMs());
    const publicKey = await importPublicKey(request.tls_public_key);
    if (publicKey === null) {
      throw refusal("public-key-unsupported", { message: "The TLS key is not a P-256 key" });
    }
    const credential = await this.#authenticate(request, peer);
    const { user } = credential;
    const { store, directory, userCa, cluster, nowMs } = this.#options;
    const atMs = nowMs();
    if (directory.isUserLocked(user, [], atMs)) {
      await this.#audit({ event: "login.failed", user, source: peer.address, reason: "locked" });
      throw refusal("access-locked", {
        message: directory.lockWords(user, [], atMs),
        hint: "Ask an administrator of the cluster why: `vnet ctl get locks` shows it",
      });
    }
    const sessionId = randomHex(16);
    const certificate = await issueUserCertificate(
      userCa,
      { cluster, user, sessionId, publicKey },
      {
        nowMs: atMs,
        requestedMs: request.ttl_seconds === undefined ? null : request.ttl_seconds * 1000,
        roleMaxMs: maxSessionMs(directory.rolesOf(user) ?? []),
      },
    );
    const expiresMs = certificate.validity.notAfterMs;
    const expires = new Date(expiresMs).toISOString();
    // A reset ends the sessions there are: this one must not come after it with what was good before
    const current = await store.credentials.get(user);
    if (current?.passwordHash !== credential.passwordHash) throw loginFailed();
    await store.sessions.add({
      id: sessionId,
      user,
      startedMs: atMs,
      expiresMs,
      source: peer.address,
      parent: null,
      app: null,
    });
    await this.#audit({
      event: "login.ok",
      user,
      source: peer.address,
      session_id: sessionId,
      expires,
    });
    log.info("User logged in", { session: sessionId });
    return {
      cluster_name: cluster,
      user,
      certificate: certificate.pem,
      trust: { host_cas: [this.#options.hostCaPem] },
      expires,
    };
  }

  /**
   * Checks the second factor once more, for one app session.
   *
   * @throws {AuthError} `mfa-not-enrolled`, `mfa-failed`, `login-locked`.
   */
  async confirm(user: string, code: string, peer: Peer): Promise<void> {
    const { store, nowMs } = this.#options;
    const attempt = { user, source: sourceOf(peer.address) };
    await this.#refuseLocked(attempt, peer);
    const credential = await store.credentials.get(user);
    if (credential === null || credential.totpSecret === null) {
      throw refusal("mfa-not-enrolled", { message: "No second factor is enrolled" });
    }
    if (await this.#takeCode(credential, code)) return;
    await store.failures.record(attempt, nowMs(), LOCKOUT);
    throw refusal("mfa-failed", { message: "The code is wrong, or was used before" });
  }

  /** @returns What the user was known by, once password and second factor are right. */
  async #authenticate(request: LoginFinishRequest, peer: Peer): Promise<Credential> {
    const { store, directory, hasher, nowMs } = this.#options;
    const user = isPrincipalName(request.user) ? request.user : "";
    const attempt = { user, source: sourceOf(peer.address) };
    await this.#refuseLocked(attempt, peer);
    const credential = directory.users.has(user) ? await store.credentials.get(user) : null;
    const isPassword = await hasher.verify(request.password, credential?.passwordHash ?? null);
    // Guesses that ran beside those that locked the pair out must not be answered either
    await this.#refuseLocked(attempt, peer);
    if (isPassword && credential !== null) {
      if (await this.#isSecondFactor(credential, request.totp_code)) {
        await store.failures.clear(attempt);
        return credential;
      }
    }
    const lockedUntilMs = await store.failures.record(attempt, nowMs(), LOCKOUT);
    await this.#audit({
      event: lockedUntilMs === null ? "login.failed" : "login.locked",
      ...(user === "" ? {} : { user }),
      source: peer.address,
      reason: credential === null ? "user" : isPassword ? "second factor" : "password",
    });
    throw loginFailed();
  }

  async #refuseLocked(
    attempt: { readonly user: string; readonly source: string },
    peer: Peer,
  ): Promise<void> {
    const { store, nowMs } = this.#options;
    const untilMs = await store.failures.lockedUntil(attempt, nowMs());
    if (untilMs === null) return;
    log.debug("Refused a locked out login", { source: peer.address });
    throw refusal("login-locked", {
      message: "Too many logins failed",
      hint: `Try again in ${Math.ceil((untilMs - nowMs()) / MINUTE_MS)} min`,
    });
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

  #audit(event: AuditEvent): Promise<void> {
    return this.#options.audit.write(event);
  }
}

function loginFailed(): Error {
  return refusal("login-failed", { message: "The login failed" });
}
