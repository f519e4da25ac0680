import { toSession } from "../rows.ts";
import type { Session, Sessions } from "../store.ts";
import type { Database } from "./database.ts";

/** Sessions that have neither ended nor expired at the time `$1`, and whose login has not either. */
const LIVE = "SELECT s.* FROM sessions s LEFT JOIN sessions p ON p.id = s.parent" +
  " WHERE s.ended_ms IS NULL AND s.expires_ms > $1" +
  " AND (s.parent IS NULL OR (p.ended_ms IS NULL AND p.expires_ms > $1))";

/** Logins, and the app sessions drawn from them. */
export class PostgresSessions implements Sessions {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add({ id, user, parent, app, startedMs, expiresMs, source }: Session): Promise<void> {
    await this.#db.run(
      `INSERT INTO sessions (id, "user", parent, app, app_id, app_cluster, port, expires_ms, started_ms, source)` +
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
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
    const row = await this.#db.get("SELECT * FROM sessions WHERE id = $1", id);
    return row === null ? null : toSession(row);
  }

  async getLive(id: string, nowMs: number): Promise<Session | null> {
    const row = await this.#db.get(`${LIVE} AND s.id = $2`, nowMs, id);
    return row === null ? null : toSession(row);
  }

  end(id: string, nowMs: number): Promise<string[]> {
    return this.#end("id = $1 OR parent = $1", id, nowMs);
  }

  endUser(user: string, nowMs: number): Promise<string[]> {
    return this.#end(`"user" = $1`, user, nowMs);
  }

  async endedLogins(sinceMs: number): Promise<{ id: string; endedMs: number }[]> {
    const sql =
      "SELECT id, ended_ms FROM sessions WHERE parent IS NULL AND ended_ms > $1 ORDER BY id";
    return (await this.#db.all(sql, sinceMs))
      .map((row) => ({ id: String(row["id"]), endedMs: Number(row["ended_ms"]) }));
  }

  async countLive(nowMs: number): Promise<number> {
    const row = await this.#db.get(
      "SELECT count(*) AS n FROM sessions WHERE parent IS NULL AND ended_ms IS NULL AND expires_ms > $1",
      nowMs,
    );
    return Number(row?.["n"]);
  }

  async listLive(nowMs: number): Promise<Session[]> {
    // As SQLite has it: what was kept before starts were comes first
    const sql = `${LIVE} ORDER BY s."user", s.started_ms NULLS FIRST, s.id`;
    return (await this.#db.all(sql, nowMs)).map(toSession);
  }

  async #end(
    which: `id = $1 OR parent = $1` | `"user" = $1`,
    key: string,
    nowMs: number,
  ): Promise<string[]> {
    const rows = await this.#db.transaction((tx) =>
      tx.all(
        `UPDATE sessions SET ended_ms = $2 WHERE (${which}) AND ended_ms IS NULL AND expires_ms > $2 RETURNING id`,
        key,
        nowMs,
      )
    );
    return rows.map((row) => String(row["id"])).sort();
  }
}
