import type { LoginFinishResponse } from "../../../wire/mod.ts";
import { maxSessionMs } from "../../../identity/mod.ts";
import {
  type Authority,
  type importPublicKey,
  issueUserCertificate,
  randomHex,
} from "../../../io/mod.ts";
import { sourceOf } from "../../../ip/mod.ts";
import { getLogger } from "../../../log.ts";
import type { Person } from "../../../config/mod.ts";
import type { Store } from "../../store/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { Directory } from "../directory.ts";
import type { AuditLog, LoginWay, Peer } from "../types.ts";

const log = getLogger("server", "auth");

export type PublicKey = NonNullable<Awaited<ReturnType<typeof importPublicKey>>>;

export interface OpenerOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly audit: AuditLog;
  readonly userCa: Authority;
  readonly hostCaPem: string;
  readonly cluster: string;
  readonly nowMs: () => number;
}

/** Somebody who proved who they are. */
export interface Proven {
  readonly person: Person;
  /** The names of their roles. */
  readonly roles: readonly string[];
  /** How they proved it, for the audit log. */
  readonly way: LoginWay;
  /** Looks once more, right before the login begins. @throws {AuthError} when it must not */
  readonly confirm: () => Promise<void>;
  /** The login has begun. */
  readonly opened: (sessionId: string) => Promise<void>;
}

/** What they want to have. */
export interface LoginWish {
  readonly publicKey: PublicKey;
  readonly ttlSeconds: number | null;
  readonly peer: Peer;
}

/** Begins the logins of those who proved who they are, however they did. */
export class LoginOpener {
  readonly #options: OpenerOptions;

  constructor(options: OpenerOptions) {
    this.#options = options;
  }

  /** @throws {AuthError} `access-locked` and what is thrown by those who confirm. */
  async open(
    { person, roles, way, confirm, opened }: Proven,
    { publicKey, ttlSeconds, peer }: LoginWish,
  ): Promise<LoginFinishResponse> {
    const { user } = person;
    const { store, directory, audit, userCa, cluster, nowMs } = this.#options;
    const atMs = nowMs();
    const source = peer.address;
    if (directory.isUserLocked(user, [], atMs, roles)) {
      await audit.write({ event: "login.failed", user, source, ...way, reason: "locked" });
      throw refusal("access-locked", {
        message: directory.lockWords(user, [], atMs, roles),
        hint: "Ask an administrator of the cluster why: `vnet ctl get locks` shows it",
      });
    }
    const sessionId = randomHex(16);
    const certificate = await issueUserCertificate(
      userCa,
      { cluster, user, sessionId, publicKey },
      {
        nowMs: atMs,
        requestedMs: ttlSeconds === null ? null : ttlSeconds * 1000,
        roleMaxMs: maxSessionMs(directory.rolesNamed(roles, person) ?? []),
      },
    );
    const expiresMs = certificate.validity.notAfterMs;
    const expires = new Date(expiresMs).toISOString();
    await confirm();
    const session = { id: sessionId, user, startedMs: atMs, expiresMs, source };
    await store.sessions.add({ ...session, parent: null, app: null });
    await opened(sessionId);
    await audit.write({ event: "login.ok", user, source, ...way, session_id: sessionId, expires });
    await store.knownSources.see({ user, source: sourceOf(source).host }, atMs);
    log.info("User logged in", { session: sessionId });
    return {
      cluster_name: cluster,
      user,
      certificate: certificate.pem,
      trust: { host_cas: [this.#options.hostCaPem] },
      expires,
    };
  }
}
