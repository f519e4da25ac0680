import { toGuest } from "../rows.ts";
import type { Guests, StoredGuest } from "../store.ts";
import type { Database } from "./database.ts";

const LIVE = "SELECT g.* FROM guests g JOIN sessions s ON s.id = g.session" +
  " WHERE s.ended_ms IS NULL AND s.expires_ms > $1";
const ORDER = "ORDER BY s.started_ms, s.id";

/** Who is behind logins of users that the cluster itself does not know. */
export class PostgresGuests implements Guests {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add({ sessionId, user, connector, subject, roles, claims }: StoredGuest): Promise<void> {
    await this.#db.run(
      'INSERT INTO guests (session, "user", connector, subject, facts) VALUES ($1, $2, $3, $4, $5)',
      sessionId,
      user,
      connector,
      subject,
      JSON.stringify({ roles, claims }),
    );
  }

  async get(sessionId: string): Promise<StoredGuest | null> {
    const row = await this.#db.get("SELECT * FROM guests WHERE session = $1", sessionId);
    return row === null ? null : toGuest(row);
  }

  async listLive(nowMs: number): Promise<StoredGuest[]> {
    return (await this.#db.all(`${LIVE} ${ORDER}`, nowMs)).map(toGuest);
  }

  async liveOf(user: string, nowMs: number): Promise<StoredGuest[]> {
    return (await this.#db.all(`${LIVE} AND g."user" = $2 ${ORDER}`, nowMs, user)).map(toGuest);
  }
}
