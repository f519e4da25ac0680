/**
 * One PostgreSQL database: a bounded number of connections, prepared statements with deadlines, transactions, and
 * errors of ours. A change is on the server's disk when its call returns, unless it is made relaxed.
 *
 * @module
 */
// @ts-types="@types/pg"
import pg from "pg";
import type { PostgresConfig } from "../../../config/mod.ts";
import { OsError } from "../../../error.ts";
import { randomHex } from "../../../io/mod.ts";
import { orAborted, pause, withDeadline } from "../../../wait.ts";
import type { Row } from "../rows.ts";
import { explain, formatPlace, isBroken, isConflict } from "./failure.ts";
import { LOCK_CLASS, SCHEMA_LOCK } from "./keys.ts";
import { MIGRATIONS } from "./migrations.ts";
import { connectionOptions } from "./options.ts";
import { Presence } from "./presence.ts";

export type Value = string | number | null | readonly string[];

/** What can be done within a transaction, and without. Placeholders are `$1`, `$2`, … */
export interface Statements {
  /** Runs a statement. @returns How many rows it changed. */
  run(sql: string, ...values: Value[]): Promise<number>;
  /** @returns The first row, or `null`. */
  get(sql: string, ...values: Value[]): Promise<Row | null>;
  all(sql: string, ...values: Value[]): Promise<Row[]>;
}

interface OpenOptions {
  /** Whether no other server may serve from the database meanwhile. */
  readonly isSole: boolean;
}

const MAX_CONNECTIONS = 10;
/** Statements that wait for a connection, or for the database to be back. */
const MAX_WAITING = 2_000;
/** How long a statement waits for a database that is away. */
const AWAY_MS = 3_000;
const IDLE_MS = 60_000;
const CLOSE_MS = 5_000;
const MOST_TRIES = 5;

export class Database implements Statements {
  readonly #config: PostgresConfig;
  readonly #pool: pg.Pool;
  readonly #presence: Presence;
  /** The names of prepared statements. */
  readonly #names = new Map<string, string>();
  readonly #closing = new AbortController();
  readonly #begun = new Set<Promise<unknown>>();
  #waiting = 0;

  private constructor(config: PostgresConfig, pool: pg.Pool, presence: Presence) {
    this.#config = config;
    this.#pool = pool;
    this.#presence = presence;
  }

  /**
   * Connects and brings the schema up to date.
   *
   * @throws {OsError} `store-unreachable`, `store-denied`, `store-missing`, `store-untrusted`, `store-in-use`,
   * `store-too-new`, `store-unusable`.
   * @throws {ConfigError} if `ca_file` has no authority.
   */
  static async open(config: PostgresConfig, { isSole }: OpenOptions): Promise<Database> {
    const options = await connectionOptions(config, nameOfThis());
    await using made = new AsyncDisposableStack();
    // A database that another server serves from is left as it is
    const prepare = () => migrate(options, config);
    const presence = await Presence.open(options, config, { isSole, prepare });
    made.defer(() => presence.close());
    const pool = new pg.Pool({ ...options, max: MAX_CONNECTIONS, idleTimeoutMillis: IDLE_MS });
    // A connection that is lost while nobody uses it is of no account: the presence knows of the server
    pool.on("error", () => {});
    const database = new Database(config, pool, presence);
    made.move();
    return database;
  }

  run(sql: string, ...values: Value[]): Promise<number> {
    return this.#once((client) => this.#on(client).run(sql, ...values));
  }

  get(sql: string, ...values: Value[]): Promise<Row | null> {
    return this.#again((client) => this.#on(client).get(sql, ...values));
  }

  all(sql: string, ...values: Value[]): Promise<Row[]> {
    return this.#again((client) => this.#on(client).all(sql, ...values));
  }

  /** Runs an act whole or not at all; it may be run anew, when another one was in its way. */
  transaction<T>(act: (statements: Statements) => Promise<T>): Promise<T> {
    return this.#transaction("BEGIN", act);
  }

  /** Runs an act whose changes may be lost with the server's power, and are written without waiting for the disk. */
  relaxed<T>(act: (statements: Statements) => Promise<T>): Promise<T> {
    return this.#transaction("BEGIN; SET LOCAL synchronous_commit = off", act);
  }

  watch: Presence["watch"] = (tell, signal) => this.#presence.watch(tell, signal);

  /** Waits for what was begun, so long. */
  async close(): Promise<void> {
    await withDeadline(CLOSE_MS, null, async (signal) => {
      while (this.#begun.size > 0) await orAborted(Promise.allSettled(this.#begun), signal);
    }).catch(() => {});
    this.#closing.abort();
    await Promise.all([
      this.#presence.close(),
      // What waits for an answer of a server that is silent has a deadline of its own
      withDeadline(CLOSE_MS, null, (signal) => orAborted(this.#pool.end(), signal)).catch(() => {}),
    ]);
  }

  async #transaction<T>(begin: string, act: (statements: Statements) => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await this.#once(async (client) => {
          await client.query(begin);
          try {
            const result = await act(this.#on(client));
            await client.query("COMMIT");
            return result;
          } catch (thrown) {
            if (!isBroken(thrown)) await client.query("ROLLBACK");
            throw thrown;
          }
        });
      } catch (thrown) {
        const { cause } = thrown as { readonly cause?: unknown };
        if (tries >= MOST_TRIES || !isConflict(cause)) throw thrown;
      }
    }
  }

  /** Reads; once more, if the connection was lost on the way. */
  async #again<T>(read: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const beganMs = performance.now();
    try {
      return await this.#once(read);
    } catch (thrown) {
      const isAway = thrown instanceof OsError && thrown.code === "store-unreachable" &&
        performance.now() - beganMs < AWAY_MS && !this.#closing.signal.aborted;
      if (!isAway) throw thrown;
      return await this.#once(read);
    }
  }

  #once<T>(act: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const begun: Promise<T> = this.#begin(act).finally(() => this.#begun.delete(begun));
    this.#begun.add(begun);
    return begun;
  }

  async #begin<T>(act: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#acquire();
    // A connection in use that is lost has its statement fail as well
    const onError = () => {};
    client.on("error", onError);
    let broken = false;
    try {
      return await act(client);
    } catch (thrown) {
      broken = isBroken(thrown);
      throw explain(thrown, this.#config);
    } finally {
      client.off("error", onError);
      client.release(broken);
    }
  }

  async #acquire(): Promise<pg.PoolClient> {
    if (this.#waiting >= MAX_WAITING) {
      throw new OsError(
        "store-unreachable",
        `Cannot use the store as ${formatPlace(this.#config)}: too much waits for it`,
        { call: "connect", errno: "EAGAIN", hint: "The database is too slow: look at its load" },
      );
    }
    this.#waiting++;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), AWAY_MS);
    try {
      return await this.#connect(late.signal);
    } finally {
      clearTimeout(timer);
      this.#waiting--;
    }
  }

  /** Gets a connection; while the database is away, waits for it. Throws why it is away when the signal has fired. */
  async #connect(signal: AbortSignal): Promise<pg.PoolClient> {
    for (;;) {
      await this.#presence.ready(signal);
      try {
        return await this.#pool.connect();
      } catch (thrown) {
        if (signal.aborted || this.#closing.signal.aborted) throw explain(thrown, this.#config);
        const error = explain(thrown, this.#config);
        if (error.code !== "store-unreachable") throw error;
        await pause(100, signal);
        if (signal.aborted) throw error;
      }
    }
  }

  #on(client: pg.PoolClient): Statements {
    const query = (sql: string, values: readonly Value[]) =>
      client.query<Row>({ name: this.#nameOf(sql), text: sql, values: values.map(storable) });
    return {
      run: async (sql, ...values) => (await query(sql, values)).rowCount ?? 0,
      get: async (sql, ...values) => (await query(sql, values)).rows[0] ?? null,
      all: async (sql, ...values) => (await query(sql, values)).rows,
    };
  }

  #nameOf(sql: string): string {
    const name = this.#names.get(sql) ?? `vnet${this.#names.size}`;
    this.#names.set(sql, name);
    return name;
  }
}

/** PostgreSQL has no text with a NUL in it; only strangers write one, and where it is kept it only has to be the same. */
function storable(value: Value): Value {
  return typeof value === "string" ? value.replaceAll("\0", "\u{fffd}") : value;
}

/** What this store is called at the server, at most 63 characters. */
function nameOfThis(): string {
  const host = Deno.hostname().replaceAll(/[^\x21-\x7e]/g, "?").slice(0, 32);
  return `vnet ${host} ${Deno.pid} ${randomHex(4)}`;
}

/** Each start of a server takes the steps that are missing, all or none of them, and waits for whoever is at it. */
async function migrate(options: pg.ClientConfig, config: PostgresConfig): Promise<void> {
  const client = new pg.Client({ ...options, lock_timeout: 30_000, query_timeout: 60_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query(`BEGIN; SET LOCAL statement_timeout = '50s'`);
    await client.query(`SELECT pg_advisory_xact_lock(${LOCK_CLASS}, ${SCHEMA_LOCK})`);
    await client.query(
      "CREATE TABLE IF NOT EXISTS schema_version (is_only BOOLEAN PRIMARY KEY DEFAULT true CHECK (is_only), version INTEGER NOT NULL)",
    );
    const { rows: [row] } = await client.query("SELECT version FROM schema_version");
    const version = Number(row?.["version"] ?? 0);
    if (version > MIGRATIONS.length) throw tooNew(version, config);
    for (const sql of MIGRATIONS.slice(version)) await client.query(sql);
    await client.query(
      "INSERT INTO schema_version (version) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET version = excluded.version",
      [MIGRATIONS.length],
    );
    await client.query("COMMIT");
  } catch (thrown) {
    throw explain(thrown, config);
  } finally {
    await client.end().catch(() => {});
  }
}

function tooNew(version: number, config: PostgresConfig): OsError {
  return new OsError(
    "store-too-new",
    `Cannot use the store as ${
      formatPlace(config)
    }: its schema has version ${version}, this program knows ${MIGRATIONS.length}`,
    {
      call: "open",
      errno: "ENOTSUP",
      hint: "Run the version of vnet that wrote it, or a later one",
    },
  );
}
