import { toAuthority, toResource } from "../rows.ts";
import type {
  Authorities,
  Resources,
  ResourceText,
  Settings,
  StoredAuthority,
  StoredResource,
} from "../store.ts";
import type { Database } from "./database.ts";

export class PostgresSettings implements Settings {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(key: string): Promise<string | null> {
    const row = await this.#db.get("SELECT value FROM settings WHERE key = $1", key);
    return row === null ? null : String(row["value"]);
  }

  async setOnce(key: string, value: string): Promise<string> {
    const sql = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    await this.#db.run(sql, key, value);
    return await this.get(key) ?? value;
  }

  async set(key: string, value: string): Promise<void> {
    await this.#db.relaxed((tx) =>
      tx.run(
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
      )
    );
  }
}

export class PostgresAuthorities implements Authorities {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async list(kind: StoredAuthority["kind"]): Promise<StoredAuthority[]> {
    const sql = "SELECT * FROM authorities WHERE kind = $1 ORDER BY id";
    return (await this.#db.all(sql, kind)).map(toAuthority);
  }

  async addFirst({ kind, certificatePem, privateKeyPem }: StoredAuthority): Promise<void> {
    await this.#db.transaction(async (tx) => {
      // Whoever comes second shall see what the first has added
      await tx.run("LOCK TABLE authorities IN SHARE ROW EXCLUSIVE MODE");
      await tx.run(
        "INSERT INTO authorities (kind, certificate, private_key) SELECT $1, $2, $3" +
          " WHERE NOT EXISTS (SELECT 1 FROM authorities WHERE kind = $1)",
        kind,
        certificatePem,
        privateKeyPem,
      );
    });
  }
}

export class PostgresResources implements Resources {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(kind: string, name: string): Promise<StoredResource | null> {
    const sql = "SELECT * FROM resources WHERE kind = $1 AND name = $2";
    const row = await this.#db.get(sql, kind, name);
    return row === null ? null : toResource(row);
  }

  async list(kind: string | null): Promise<StoredResource[]> {
    const sql =
      "SELECT * FROM resources WHERE $1::text IS NULL OR kind = $1::text ORDER BY kind, name";
    return (await this.#db.all(sql, kind)).map(toResource);
  }

  async put(resource: ResourceText, expectedRevision: number | null): Promise<number | null> {
    return (await this.putAll([{ resource, expectedRevision }]))?.[0] ?? null;
  }

  putAll(
    puts: readonly { readonly resource: ResourceText; readonly expectedRevision: number | null }[],
  ): Promise<number[] | null> {
    return this.#db.transaction(async (tx) => {
      // One writer at a time, for what is not there cannot be locked; readers go on
      await tx.run("LOCK TABLE resources IN SHARE ROW EXCLUSIVE MODE");
      const revisions: number[] = [];
      for (const { resource: { kind, name }, expectedRevision } of puts) {
        const sql = "SELECT revision FROM resources WHERE kind = $1 AND name = $2";
        const held = Number((await tx.get(sql, kind, name))?.["revision"] ?? 0);
        if (expectedRevision !== null && expectedRevision !== held) return null;
        revisions.push(held + 1);
      }
      for (const [i, { resource: { kind, name, body } }] of puts.entries()) {
        await tx.run(
          "INSERT INTO resources (kind, name, revision, body) VALUES ($1, $2, $3, $4)" +
            " ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision, body = excluded.body",
          kind,
          name,
          revisions[i]!,
          body,
        );
      }
      return revisions;
    });
  }

  async remove(kind: string, name: string): Promise<boolean> {
    const sql = "DELETE FROM resources WHERE kind = $1 AND name = $2";
    return await this.#db.run(sql, kind, name) > 0;
  }
}
