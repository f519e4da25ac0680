import { MAX_KNOWN_EACH } from "../retention.ts";
import { toCredential } from "../rows.ts";
import type {
  Credential,
  Credentials,
  KnownSources,
  LockoutRule,
  LoginAttempt,
  LoginFailures,
} from "../store.ts";
import type { Database, Statements } from "./database.ts";
import { LOGIN_LOCK_CLASS } from "./keys.ts";

/** What proves that somebody is a user. */
export class PostgresCredentials implements Credentials {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(user: string): Promise<Credential | null> {
    const row = await this.#db.get(`SELECT * FROM credentials WHERE "user" = $1`, user);
    return row === null ? null : toCredential(row);
  }

  async put({ user, passwordHash, totpSecret }: Credential): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await alone(tx, user);
      await tx.run(`DELETE FROM known_sources WHERE "user" = $1`, user);
      await tx.run(
        `INSERT INTO credentials ("user", password_hash, totp_secret) VALUES ($1, $2, $3) ON CONFLICT ("user")` +
          " DO UPDATE SET password_hash = excluded.password_hash, totp_secret = excluded.totp_secret",
        user,
        passwordHash,
        totpSecret,
      );
    });
  }

  async remove(user: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await alone(tx, user);
      await tx.run(`DELETE FROM known_sources WHERE "user" = $1`, user);
      await tx.run(`DELETE FROM credentials WHERE "user" = $1`, user);
    });
  }

  async takeTotpStep(user: string, step: number): Promise<boolean> {
    const sql = `UPDATE credentials SET totp_step = $1 WHERE "user" = $2 AND totp_step < $1`;
    return await this.#db.run(sql, step, user) > 0;
  }
}

/** Failed logins and the lockouts they lead to. */
export class PostgresFailures implements LoginFailures {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async lockedUntil({ user, source }: LoginAttempt, nowMs: number): Promise<number | null> {
    const row = await this.#db.get(
      `SELECT until_ms FROM login_locks WHERE "user" = $1 AND source = $2 AND until_ms > $3`,
      user,
      source,
      nowMs,
    );
    return row === null ? null : Number(row["until_ms"]);
  }

  record(
    { user, source }: LoginAttempt,
    nowMs: number,
    rule: LockoutRule,
  ): Promise<number | null> {
    return this.#db.relaxed(async (tx) => {
      await alone(tx, `${user}\n${source}`);
      await tx.run(
        `INSERT INTO login_failures ("user", source, at_ms) VALUES ($1, $2, $3)`,
        user,
        source,
        nowMs,
      );
      const row = await tx.get(
        `SELECT count(*) AS n FROM login_failures WHERE "user" = $1 AND source = $2 AND at_ms > $3`,
        user,
        source,
        nowMs - rule.windowMs,
      );
      if (Number(row?.["n"]) < rule.limit) return null;
      const untilMs = nowMs + rule.lockMs;
      await tx.run(`DELETE FROM login_failures WHERE "user" = $1 AND source = $2`, user, source);
      await tx.run(
        `INSERT INTO login_locks ("user", source, until_ms) VALUES ($1, $2, $3)` +
          ` ON CONFLICT ("user", source) DO UPDATE SET until_ms = excluded.until_ms`,
        user,
        source,
        untilMs,
      );
      return untilMs;
    });
  }

  async clear({ user, source }: LoginAttempt): Promise<void> {
    const sql = `DELETE FROM login_failures WHERE "user" = $1 AND source = $2`;
    await this.#db.run(sql, user, source);
  }

  async clearUser(user: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.run(`DELETE FROM login_failures WHERE "user" = $1`, user);
      await tx.run(`DELETE FROM login_locks WHERE "user" = $1`, user);
    });
  }
}

/** From where users have logged in. */
export class PostgresKnownSources implements KnownSources {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async has({ user, source }: LoginAttempt): Promise<boolean> {
    const sql = `SELECT 1 AS yes FROM known_sources WHERE "user" = $1 AND source = $2`;
    return await this.#db.get(sql, user, source) !== null;
  }

  async see({ user, source }: LoginAttempt, nowMs: number): Promise<void> {
    await this.#db.relaxed(async (tx) => {
      await alone(tx, user);
      await tx.run(
        `INSERT INTO known_sources ("user", source, seen_ms) VALUES ($1, $2, $3)` +
          ` ON CONFLICT ("user", source) DO UPDATE SET seen_ms = excluded.seen_ms`,
        user,
        source,
        nowMs,
      );
      await tx.run(
        `DELETE FROM known_sources WHERE "user" = $1 AND source NOT IN` +
          ` (SELECT source FROM known_sources WHERE "user" = $1 ORDER BY seen_ms DESC, source LIMIT $2)`,
        user,
        MAX_KNOWN_EACH,
      );
    });
  }

  async newest(limit: number): Promise<string[]> {
    const sql = "SELECT source, max(seen_ms) AS seen FROM known_sources GROUP BY source" +
      " ORDER BY seen DESC, source LIMIT $1";
    return (await this.#db.all(sql, limit)).map((row) => String(row["source"])).reverse();
  }
}

/** Waits until nobody else counts for the same user or pair, and keeps them out until the end of the transaction. */
async function alone(tx: Statements, whom: string): Promise<void> {
  await tx.get(`SELECT pg_advisory_xact_lock(${LOGIN_LOCK_CLASS}, hashtext($1))`, whom);
}
