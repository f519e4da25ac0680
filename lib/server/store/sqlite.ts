// deno-lint-ignore-file require-await -- methods are async so that an error thrown becomes a rejection
/**
 * The store in one SQLite file, write-ahead logged. Survives a crash of the process and a power failure at any point;
 * only failed logins, and when agents were seen, may be lost with the power.
 *
 * @module
 */
import { SqliteAgents, SqliteTokens } from "./sqlite_agents.ts";
import { Database } from "./database.ts";
import { SqliteGuests } from "./sqlite_guests.ts";
import { SqliteTrusts } from "./sqlite_trusts.ts";
import {
  AGENT_KEPT_MS,
  FAILURE_KEPT_MS,
  MAX_EVENTS,
  MAX_FAILURES,
  SOURCE_KEPT_MS,
} from "./retention.ts";
import { toAuthority, toEvent, toResource } from "./rows.ts";
import {
  SqliteCredentials,
  SqliteFailures,
  SqliteKnownSources,
  SqliteSessions,
} from "./sqlite_logins.ts";
import type {
  AuditEvents,
  Authorities,
  Resources,
  ResourceText,
  Settings,
  Store,
  StoredAuthority,
  StoredEvent,
  StoredResource,
} from "./store.ts";

/**
 * Opens the store in a file, making it if it is missing.
 *
 * @throws {OsError} `store-unusable`, `store-too-new`.
 */
export async function openSqliteStore(path: string): Promise<Store> {
  const db = await Database.open(path);
  return {
    settings: new SqliteSettings(db),
    authorities: new SqliteAuthorities(db),
    resources: new SqliteResources(db),
    credentials: new SqliteCredentials(db),
    failures: new SqliteFailures(db),
    knownSources: new SqliteKnownSources(db),
    sessions: new SqliteSessions(db),
    guests: new SqliteGuests(db),
    tokens: new SqliteTokens(db),
    agents: new SqliteAgents(db),
    trusts: new SqliteTrusts(db),
    events: new SqliteEvents(db),
    prune: (nowMs) => Promise.resolve(prune(db, nowMs)),
    // The file is this process's alone
    watch: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(db.close()),
  };
}

class SqliteSettings implements Settings {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(key: string): Promise<string | null> {
    const row = this.#db.get("SELECT value FROM settings WHERE key = ?", key);
    return row === null ? null : String(row["value"]);
  }

  async setOnce(key: string, value: string): Promise<string> {
    this.#db.run(
      "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
      key,
      value,
    );
    return await this.get(key) ?? value;
  }

  async set(key: string, value: string): Promise<void> {
    this.#db.relaxed(() =>
      this.#db.run(
        "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
      )
    );
  }
}

class SqliteAuthorities implements Authorities {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async list(kind: StoredAuthority["kind"]): Promise<StoredAuthority[]> {
    return this.#db.all("SELECT * FROM authorities WHERE kind = ? ORDER BY id", kind)
      .map(toAuthority);
  }

  async addFirst({ kind, certificatePem, privateKeyPem }: StoredAuthority): Promise<void> {
    this.#db.run(
      "INSERT INTO authorities (kind, certificate, private_key) SELECT ?, ?, ?" +
        " WHERE NOT EXISTS (SELECT 1 FROM authorities WHERE kind = ?)",
      kind,
      certificatePem,
      privateKeyPem,
      kind,
    );
  }
}

class SqliteResources implements Resources {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(kind: string, name: string): Promise<StoredResource | null> {
    const row = this.#db.get("SELECT * FROM resources WHERE kind = ? AND name = ?", kind, name);
    return row === null ? null : toResource(row);
  }

  async list(kind: string | null): Promise<StoredResource[]> {
    return this.#db.all(
      "SELECT * FROM resources WHERE ?1 IS NULL OR kind = ?1 ORDER BY kind, name",
      kind,
    ).map(toResource);
  }

  async put(resource: ResourceText, expectedRevision: number | null): Promise<number | null> {
    return (await this.putAll([{ resource, expectedRevision }]))?.[0] ?? null;
  }

  async putAll(
    puts: readonly { readonly resource: ResourceText; readonly expectedRevision: number | null }[],
  ): Promise<number[] | null> {
    return this.#db.transaction(() => {
      const revisions = puts.map(({ resource: { kind, name }, expectedRevision }) => {
        const sql = "SELECT revision FROM resources WHERE kind = ? AND name = ?";
        const held = Number(this.#db.get(sql, kind, name)?.["revision"] ?? 0);
        return expectedRevision === null || expectedRevision === held ? held + 1 : null;
      });
      if (revisions.includes(null)) return null;
      puts.forEach(({ resource: { kind, name, body } }, i) => {
        this.#db.run(
          "INSERT INTO resources (kind, name, revision, body) VALUES (?, ?, ?, ?)" +
            " ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
          kind,
          name,
          revisions[i]!,
          body,
        );
      });
      return revisions as number[];
    });
  }

  async remove(kind: string, name: string): Promise<boolean> {
    return this.#db.run("DELETE FROM resources WHERE kind = ? AND name = ?", kind, name) > 0;
  }
}

class SqliteEvents implements AuditEvents {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async append(bodies: readonly string[], isLasting: boolean): Promise<number> {
    const append = () =>
      this.#db.transaction(() => {
        for (const body of bodies) this.#db.run("INSERT INTO events (body) VALUES (?)", body);
        const last = Number(this.#db.get("SELECT last_insert_rowid() AS seq")?.["seq"]);
        return last - bodies.length + 1;
      });
    return isLasting ? append() : this.#db.relaxed(append);
  }

  async after(seq: number, limit: number): Promise<StoredEvent[]> {
    return this.#db.all("SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)
      .map(toEvent);
  }

  async newest(limit: number, before = Number.MAX_SAFE_INTEGER): Promise<StoredEvent[]> {
    const newest = "SELECT * FROM events WHERE seq < ? ORDER BY seq DESC LIMIT ?";
    return this.#db.all(newest, before, limit).map(toEvent).reverse();
  }
}

function prune(db: Database, nowMs: number): void {
  db.relaxed(() =>
    db.transaction(() => {
      db.run(
        "DELETE FROM sessions WHERE expires_ms <= ?1 AND (parent IS NULL OR parent NOT IN" +
          " (SELECT id FROM sessions WHERE expires_ms > ?1))",
        nowMs,
      );
      db.run("DELETE FROM guests WHERE session NOT IN (SELECT id FROM sessions)");
      db.run("DELETE FROM tokens WHERE expires_ms <= ? OR uses_left <= 0", nowMs);
      db.run("DELETE FROM login_locks WHERE until_ms <= ?", nowMs);
      db.run("DELETE FROM login_failures WHERE at_ms <= ?", nowMs - FAILURE_KEPT_MS);
      db.run(
        "DELETE FROM login_failures WHERE rowid <= (SELECT max(rowid) FROM login_failures) - ?",
        MAX_FAILURES,
      );
      db.run("DELETE FROM known_sources WHERE seen_ms <= ?", nowMs - SOURCE_KEPT_MS);
      db.run("DELETE FROM agents WHERE renewed_ms <= ?", nowMs - AGENT_KEPT_MS);
      db.run("DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?", MAX_EVENTS);
    })
  );
}
