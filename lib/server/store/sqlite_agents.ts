// deno-lint-ignore-file require-await -- methods are async so that an error thrown becomes a rejection
import type { Database } from "./database.ts";
import { toAgent, toToken } from "./rows.ts";
import type { Agents, JoinToken, JoinTokens, StoredAgent } from "./store.ts";

/** Tokens to join with, known by their hashes. */
export class SqliteTokens implements JoinTokens {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add({ id, scope, expiresMs, usesLeft }: JoinToken, hash: string): Promise<void> {
    this.#db.run(
      "INSERT INTO tokens (hash, id, scope, expires_ms, uses_left) VALUES (?, ?, ?, ?, ?)",
      hash,
      id,
      JSON.stringify(scope),
      expiresMs,
      usesLeft,
    );
  }

  async list(): Promise<JoinToken[]> {
    return this.#db.all("SELECT * FROM tokens ORDER BY expires_ms, id").map(toToken);
  }

  async remove(id: string): Promise<boolean> {
    return this.#db.run("DELETE FROM tokens WHERE id = ?", id) > 0;
  }

  async find(hash: string, nowMs: number): Promise<JoinToken | null> {
    const row = this.#db.get(
      "SELECT * FROM tokens WHERE hash = ? AND uses_left > 0 AND expires_ms > ?",
      hash,
      nowMs,
    );
    return row === null ? null : toToken(row);
  }

  async take(hash: string, nowMs: number): Promise<boolean> {
    const sql =
      "UPDATE tokens SET uses_left = uses_left - 1 WHERE hash = ? AND uses_left > 0 AND expires_ms > ?";
    return this.#db.run(sql, hash, nowMs) > 0;
  }
}

/** Agents that joined and were not removed. */
export class SqliteAgents implements Agents {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(id: string): Promise<StoredAgent | null> {
    const row = this.#db.get("SELECT * FROM agents WHERE id = ?", id);
    return row === null ? null : toAgent(row);
  }

  async list(): Promise<StoredAgent[]> {
    return this.#db.all("SELECT * FROM agents ORDER BY name, id").map(toAgent);
  }

  async put(agent: Omit<StoredAgent, "seenMs">): Promise<void> {
    this.#db.run(
      "INSERT INTO agents (id, name, apps, scope, joined_ms, renewed_ms) VALUES (?, ?, ?, ?, ?, ?)" +
        " ON CONFLICT DO UPDATE SET name = excluded.name, apps = excluded.apps, scope = excluded.scope," +
        " renewed_ms = excluded.renewed_ms",
      agent.id,
      agent.name,
      JSON.stringify(agent.apps),
      JSON.stringify(agent.scope),
      agent.joinedMs,
      agent.renewedMs,
    );
  }

  async see(ids: Iterable<string>, nowMs: number): Promise<void> {
    this.#db.transaction(() => {
      for (const id of ids) this.#db.run("UPDATE agents SET seen_ms = ? WHERE id = ?", nowMs, id);
    });
  }

  async remove(id: string): Promise<boolean> {
    return this.#db.run("DELETE FROM agents WHERE id = ?", id) > 0;
  }
}
