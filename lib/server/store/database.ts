import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { OsError } from "../../error.ts";
import { MIGRATIONS } from "./migrations.ts";
import type { Row } from "./rows.ts";

/**
 * One SQLite file: prepared statements, transactions, and errors of ours. A change is on the disk when its call
 * returns, unless it is made {@link Database.relaxed}.
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #path: string;

  /** Takes over an open database. */
  private constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /**
   * Opens a file, making it with mode 0600 if it is missing, and brings its schema up to date.
   *
   * @throws {OsError} `store-unusable`, `store-too-new`.
   */
  static async open(path: string): Promise<Database> {
    let db: DatabaseSync | null = null;
    try {
      // SQLite gives its journals the mode of the file, so the file must have the right one first
      const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
      file.close();
      await Deno.chmod(path, 0o600);
      db = new DatabaseSync(path);
      db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;" +
          "PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;",
      );
      const database = new Database(db, path);
      database.#migrate();
      return database;
    } catch (cause) {
      db?.close();
      if (cause instanceof OsError) throw cause;
      throw storeError("open", path, cause);
    }
  }

  /** Runs a statement. @returns How many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** @returns The first row, or `null`. */
  get(sql: string, ...values: SQLInputValue[]): Row | null {
    return this.#guard(() => (this.#prepare(sql).get(...values) as Row | undefined) ?? null);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /** Rows one after the other, for tables that do not fit into memory. */
  *iterate(sql: string): Generator<Row> {
    yield* this.#guard(() => this.#prepare(sql).iterate()) as IterableIterator<Row>;
  }

  /** Runs an act whole or not at all. It must not wait: everything else shares the connection. */
  transaction<T>(act: () => T): T {
    this.run("BEGIN IMMEDIATE");
    try {
      const result = act();
      this.run("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * Runs an act whose changes may be lost with the power, and are written without waiting for the disk. It must not
   * wait, as in {@link transaction}, which belongs inside.
   */
  relaxed<T>(act: () => T): T {
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      return act();
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #guard<T>(act: () => T): T {
    try {
      return act();
    } catch (cause) {
      throw storeError("use", this.#path, cause);
    }
  }

  /** Each step of the schema is one transaction; `user_version` counts the steps taken. */
  #migrate(): void {
    const version = Number(this.get("PRAGMA user_version")?.["user_version"]);
    if (version > MIGRATIONS.length) {
      throw new OsError(
        "store-too-new",
        `Cannot open "${this.#path}": its schema has version ${version}, this program knows ${MIGRATIONS.length}`,
        {
          call: "open",
          errno: "ENOTSUP",
          hint: "Run the version of vnet that wrote it, or a later one",
        },
      );
    }
    MIGRATIONS.slice(version).forEach((sql, i) => {
      this.transaction(() => {
        this.#db.exec(sql);
        this.#db.exec(`PRAGMA user_version = ${version + i + 1}`);
      });
    });
  }
}

function storeError(act: string, path: string, cause: unknown): OsError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const errno = cause instanceof Error && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "UNKNOWN";
  return new OsError("store-unusable", `Cannot ${act} the store "${path}": ${reason}`, {
    call: act,
    errno,
    cause,
  });
}
