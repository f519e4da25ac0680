import { toAgent, toToken } from "../rows.ts";
import type { Agents, JoinToken, JoinTokens, StoredAgent } from "../store.ts";
import type { Database } from "./database.ts";

/** Tokens to join with, known by their hashes. */
export class PostgresTokens implements JoinTokens {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add({ id, scope, expiresMs, usesLeft }: JoinToken, hash: string): Promise<void> {
    await this.#db.run(
      "INSERT INTO tokens (hash, id, scope, expires_ms, uses_left) VALUES ($1, $2, $3, $4, $5)",
      hash,
      id,
      JSON.stringify(scope),
      expiresMs,
      usesLeft,
    );
  }

  async list(): Promise<JoinToken[]> {
    return (await this.#db.all("SELECT * FROM tokens ORDER BY expires_ms, id")).map(toToken);
  }

  async remove(id: string): Promise<boolean> {
    return await this.#db.run("DELETE FROM tokens WHERE id = $1", id) > 0;
  }

  async find(hash: string, nowMs: number): Promise<JoinToken | null> {
    const sql = "SELECT * FROM tokens WHERE hash = $1 AND uses_left > 0 AND expires_ms > $2";
    const row = await this.#db.get(sql, hash, nowMs);
    return row === null ? null : toToken(row);
  }

  async take(hash: string, nowMs: number): Promise<boolean> {
    const sql =
      "UPDATE tokens SET uses_left = uses_left - 1 WHERE hash = $1 AND uses_left > 0 AND expires_ms > $2";
    return await this.#db.run(sql, hash, nowMs) > 0;
  }
}

/** Agents that joined and were not removed. */
export class PostgresAgents implements Agents {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(id: string): Promise<StoredAgent | null> {
    const row = await this.#db.get("SELECT * FROM agents WHERE id = $1", id);
    return row === null ? null : toAgent(row);
  }

  async list(): Promise<StoredAgent[]> {
    return (await this.#db.all("SELECT * FROM agents ORDER BY name, id")).map(toAgent);
  }

  async put(agent: Omit<StoredAgent, "seenMs">): Promise<void> {
    await this.#db.run(
      "INSERT INTO agents (id, name, apps, scope, joined_ms, renewed_ms) VALUES ($1, $2, $3, $4, $5, $6)" +
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, apps = excluded.apps, scope = excluded.scope," +
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
    await this.#db.run("UPDATE agents SET seen_ms = $1 WHERE id = ANY ($2)", nowMs, [...ids]);
  }

  async remove(id: string): Promise<boolean> {
    return await this.#db.run("DELETE FROM agents WHERE id = $1", id) > 0;
  }
}
