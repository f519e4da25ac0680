// deno-lint-ignore-file require-await -- methods are async so that an error thrown becomes a rejection
import type { Database } from "./database.ts";
import { toGuest } from "./rows.ts";
import type { Guests, StoredGuest } from "./store.ts";

/** Who is behind logins of users that the cluster itself does not know. */
export class SqliteGuests implements Guests {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add({ sessionId, user, connector, subject, roles, claims }: StoredGuest): Promise<void> {
    this.#db.run(
      "INSERT INTO guests (session, user, connector, subject, facts) VALUES (?, ?, ?, ?, ?)",
      sessionId,
      user,
      connector,
      subject,
      JSON.stringify({ roles, claims }),
    );
  }

  async get(sessionId: string): Promise<StoredGuest | null> {
    const row = this.#db.get("SELECT * FROM guests WHERE session = ?", sessionId);
    return row === null ? null : toGuest(row);
  }

  async listLive(nowMs: number): Promise<StoredGuest[]> {
    return this.#db.all(
      "SELECT g.* FROM guests g JOIN sessions s ON s.id = g.session" +
        " WHERE s.ended_ms IS NULL AND s.expires_ms > ? ORDER BY s.started_ms, s.id",
      nowMs,
    ).map(toGuest);
  }

  async liveOf(user: string, nowMs: number): Promise<StoredGuest[]> {
    return this.#db.all(
      "SELECT g.* FROM guests g JOIN sessions s ON s.id = g.session" +
        " WHERE g.user = ? AND s.ended_ms IS NULL AND s.expires_ms > ? ORDER BY s.started_ms, s.id",
      user,
      nowMs,
    ).map(toGuest);
  }
}
