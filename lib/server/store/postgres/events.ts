import { toEvent } from "../rows.ts";
import type { AuditEvents, StoredEvent } from "../store.ts";
import type { Database, Statements } from "./database.ts";

/** Numbers are given one writer after the other, so whoever has read up to one has missed none before it. */
const APPEND =
  "WITH counted AS (UPDATE event_count SET last = last + cardinality($1::text[]) RETURNING last)" +
  " INSERT INTO events (seq, body)" +
  " SELECT counted.last - cardinality($1::text[]) + item.place, item.body" +
  " FROM counted, unnest($1::text[]) WITH ORDINALITY AS item (body, place)";
const LAST = "SELECT last FROM event_count";

export class PostgresEvents implements AuditEvents {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  append(bodies: readonly string[], isLasting: boolean): Promise<number> {
    const append = async (tx: Statements) => {
      await tx.run(APPEND, bodies);
      // The row is this transaction's until it ends
      return Number((await tx.get(LAST))?.["last"]) - bodies.length + 1;
    };
    return isLasting ? this.#db.transaction(append) : this.#db.relaxed(append);
  }

  async after(seq: number, limit: number): Promise<StoredEvent[]> {
    const sql = "SELECT * FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
    return (await this.#db.all(sql, seq, limit)).map(toEvent);
  }

  async newest(limit: number, before = Number.MAX_SAFE_INTEGER): Promise<StoredEvent[]> {
    const sql = "SELECT * FROM events WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    return (await this.#db.all(sql, before, limit)).map(toEvent).reverse();
  }
}
