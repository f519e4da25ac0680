// deno-lint-ignore-file require-await -- methods are async so that an error thrown becomes a rejection
import type { Database } from "./database.ts";
import { MAX_KNOWN_EACH } from "./retention.ts";
import { toCredential, toSession } from "./rows.ts";
import type {
  Credential,
  Credentials,
  KnownSources,
  LockoutRule,
  LoginAttempt,
  LoginFailures,
  Session,
  Sessions,
} from "./store.ts";

/** What proves that somebody is a user. */
export class SqliteCredentials implements Credentials {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(user: string): Promise<Credential | null> {
    const row = this.#db.get("SELECT * FROM credentials WHERE user = ?", user);
    return row === null ? null : toCredential(row);
  }

  async put({ user, passwordHash, totpSecret }: Credential): Promise<void> {
    this.#db.transaction(() => {
      this.#db.run("DELETE FROM known_sources WHERE user = ?", user);
      this.#db.run(
        "INSERT INTO credentials (user, password_hash, totp_secret) VALUES (?, ?, ?) ON CONFLICT DO UPDATE" +
          " SET password_hash = excluded.password_hash, totp_secret = excluded.totp_secret",
        user,
        passwordHash,
        totpSecret,
      );
    });
  }

  async remove(user: string): Promise<void> {
    this.#db.transaction(() => {
      this.#db.run("DELETE FROM known_sources WHERE user = ?", user);
      this.#db.run("DELETE FROM credentials WHERE user = ?", user);
    });
  }

  async takeTotpStep(user: string, step: number): Promise<boolean> {
    const sql = "UPDATE credentials SET totp_step = ?1 WHERE user = ?2 AND totp_step < ?1";
    return this.#db.run(sql, step, user) > 0;
  }
}

/** Failed logins and the lockouts they lead to. */
export class SqliteFailures implements LoginFailures {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async lockedUntil({ user, source }: LoginAttempt, nowMs: number): Promise<number | null> {
    const row = this.#db.get(
      "SELECT until_ms FROM login_locks WHERE user = ? AND source = ? AND until_ms > ?",
      user,
      source,
      nowMs,
    );
    return row === null ? null : Number(row["until_ms"]);
  }

  async record(
    { user, source }: LoginAttempt,
    nowMs: number,
    rule: LockoutRule,
  ): Promise<number | null> {
    return this.#db.relaxed(() =>
      this.#db.transaction(() => {
        this.#db.run(
          "INSERT INTO login_failures (user, source, at_ms) VALUES (?, ?, ?)",
          user,
          source,
          nowMs,
        );
        const row = this.#db.get(
          "SELECT count(*) AS n FROM login_failures WHERE user = ? AND source = ? AND at_ms > ?",
          user,
          source,
          nowMs - rule.windowMs,
        );
        if (Number(row?.["n"]) < rule.limit) return null;
        const untilMs = nowMs + rule.lockMs;
        this.#db.run("DELETE FROM login_failures WHERE user = ? AND source = ?", user, source);
        this.#db.run(
          "INSERT INTO login_locks (user, source, until_ms) VALUES (?, ?, ?)" +
            " ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
          user,
          source,
          untilMs,
        );
        return untilMs;
      })
    );
  }

  async clear({ user, source }: LoginAttempt): Promise<void> {
    this.#db.run("DELETE FROM login_failures WHERE user = ? AND source = ?", user, source);
  }

  async clearUser(user: string): Promise<void> {
    this.#db.transaction(() => {
      this.#db.run("DELETE FROM login_failures WHERE user = ?", user);
      this.#db.run("DELETE FROM login_locks WHERE user = ?", user);
    });
  }
}

/** From where users have logged in. */
export class SqliteKnownSources implements KnownSources {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async has({ user, source }: LoginAttempt): Promise<boolean> {
    const sql = "SELECT 1 AS yes FROM known_sources WHERE user = ? AND source = ?";
    return this.#db.get(sql, user, source) !== null;
  }

  async see({ user, source }: LoginAttempt, nowMs: number): Promise<void> {
    this.#db.relaxed(() =>
      this.#db.transaction(() => {
        this.#db.run(
          "INSERT INTO known_sources (user, source, seen_ms) VALUES (?, ?, ?)" +
            " ON CONFLICT DO UPDATE SET seen_ms = excluded.seen_ms",
          user,
          source,
          nowMs,
        );
        this.#db.run(
          "DELETE FROM known_sources WHERE user = ?1 AND source NOT IN" +
            " (SELECT source FROM known_sources WHERE user = ?1 ORDER BY seen_ms DESC, source LIMIT ?2)",
          user,
          MAX_KNOWN_EACH,
        );
      })
    );
  }

  async newest(limit: number): Promise<string[]> {
    const sql = "SELECT source, max(seen_ms) AS seen FROM known_sources GROUP BY source" +
      " ORDER BY seen DESC, source LIMIT ?";
    return this.#db.all(sql, limit).map((row) => String(row["source"])).reverse();
  }
}

/** Sessions that have neither ended nor expired at the time `?1`, and whose login has not either. */
const LIVE = "SELECT s.* FROM sessions s LEFT JOIN sessions p ON p.id = s.parent" +
  " WHERE s.ended_ms IS NULL AND s.expires_ms > ?1" +
  " AND (s.parent IS NULL OR (p.ended_ms IS NULL AND p.expires_ms > ?1))";

/** Logins, and the app sessions drawn from them. */
export class SqliteSessions implements Sessions {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add({ id, user, parent, app, startedMs, expiresMs, source }: Session): Promise<void> {
    this.#db.run(
      "INSERT INTO sessions (id, user, parent, app, app_id, app_cluster, port, expires_ms, started_ms, source)" +
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      id,
      user,
      parent,
      app?.name ?? null,
      app?.id ?? null,
      app?.cluster ?? null,
      app?.port ?? null,
      expiresMs,
      startedMs,
      source,
    );
  }

  async get(id: string): Promise<Session | null> {
    const row = this.#db.get("SELECT * FROM sessions WHERE id = ?", id);
    return row === null ? null : toSession(row);
  }

  async getLive(id: string, nowMs: number): Promise<Session | null> {
    const row = this.#db.get(
      `${LIVE} AND s.id = ?2`,
      nowMs,
      id,
    );
    return row === null ? null : toSession(row);
  }

  async end(id: string, nowMs: number): Promise<string[]> {
    return this.#end("id = ?1 OR parent = ?1", id, nowMs);
  }

  async endUser(user: string, nowMs: number): Promise<string[]> {
    return this.#end("user = ?1", user, nowMs);
  }

  async endedLogins(sinceMs: number): Promise<{ id: string; endedMs: number }[]> {
    return this.#db.all(
      "SELECT id, ended_ms FROM sessions WHERE parent IS NULL AND ended_ms > ? ORDER BY id",
      sinceMs,
    ).map((row) => ({ id: String(row["id"]), endedMs: Number(row["ended_ms"]) }));
  }

  async countLive(nowMs: number): Promise<number> {
    const row = this.#db.get(
      "SELECT count(*) AS n FROM sessions WHERE parent IS NULL AND ended_ms IS NULL AND expires_ms > ?",
      nowMs,
    );
    return Number(row?.["n"]);
  }

  async listLive(nowMs: number): Promise<Session[]> {
    return this.#db.all(`${LIVE} ORDER BY s.user, s.started_ms, s.id`, nowMs).map(toSession);
  }

  #end(which: "id = ?1 OR parent = ?1" | "user = ?1", key: string, nowMs: number): string[] {
    return this.#db.transaction(() => {
      const live = `(${which}) AND ended_ms IS NULL AND expires_ms > ?2`;
      const rows = this.#db.all(`SELECT id FROM sessions WHERE ${live} ORDER BY id`, key, nowMs);
      this.#db.run(`UPDATE sessions SET ended_ms = ?2 WHERE ${live}`, key, nowMs);
      return rows.map((row) => String(row["id"]));
    });
  }
}
