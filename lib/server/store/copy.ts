/**
 * Copies a store from SQLite to PostgreSQL, or back: every table, row by row, into an empty store, whole or not at all.
 * A store that was copied stays as it was.
 *
 * @module
 */
import { join } from "node:path";
import type { PostgresConfig } from "../../config/mod.ts";
import { OsError, UsageError } from "../../error.ts";
import { ensurePrivateDirectory, randomHex } from "../../io/mod.ts";
import { foreign, lookThrough, refuseRunning } from "./backup.ts";
import { Database } from "./database.ts";
import { STORE_FILE } from "./open.ts";
import type { PostgresDatabase } from "./postgres/mod.ts";
import type { Row } from "./rows.ts";

/** Rows that are written by one statement. */
const BATCH = 500;

/** Where a store can be. */
export type StoreKind = "sqlite" | "postgres";

/** What was copied. */
export interface Copied {
  readonly tables: number;
  readonly rows: number;
  readonly users: number;
}

/** A table as SQLite has it; PostgreSQL has the same columns. */
interface Table {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly isNumber: boolean }[];
  /** The column that its rows are numbered by, which is copied only if others go by it; `null` if they are not. */
  readonly number: string | null;
}

interface Place {
  readonly dataDir: string;
  readonly postgres: PostgresConfig;
  readonly cluster: string;
}

/**
 * Copies the store of a data directory to a database, or the other way. No server may use either.
 *
 * @throws {UsageError} `backup-exists` if there is a store where it is to go, `backup-foreign`.
 * @throws {OsError} `server-running`, `store-in-use`, `backup-unusable`, `backup-failed`, and what opening a store
 * throws.
 */
export async function copyStore(place: Place, to: StoreKind): Promise<Copied> {
  const act = `Cannot copy the store to ${to === "sqlite" ? "SQLite" : "PostgreSQL"}`;
  await refuseRunning(place.dataDir, act);
  const { PostgresDatabase } = await import("./postgres/mod.ts");
  const database = await PostgresDatabase.open(place.postgres, { isSole: true });
  try {
    return to === "postgres"
      ? await copyToPostgres(place, database, act)
      : await copyToSqlite(place, database, act);
  } finally {
    await database.close();
  }
}

async function copyToPostgres(
  { dataDir, cluster }: Place,
  database: PostgresDatabase,
  act: string,
): Promise<Copied> {
  const file = join(dataDir, STORE_FILE);
  const content = await lookThrough(file, act);
  if (content.cluster !== cluster) throw foreign(act, content.cluster, cluster);
  using sqlite = await openFile(file);
  const tables = tablesOf(sqlite.db);
  for (const { name } of tables) {
    if (await database.get(`SELECT 1 AS yes FROM "${name}" LIMIT 1`) === null) continue;
    throw new UsageError("backup-exists", `${act}: there is a store in the database already`, {
      hint: "Take an empty database, or drop and create this one",
    });
  }
  return await database.transaction(async (tx) => {
    const counts = new Map<string, number>();
    for (const table of tables) {
      const names = namesOf(table);
      const sql = `INSERT INTO "${table.name}" (${names}) SELECT ${names}` +
        ` FROM json_populate_recordset(NULL::"${table.name}", $1::json)`;
      const rows = sqlite.db.iterate(`SELECT ${names} FROM ${table.name}${orderOf(table)}`);
      for (const batch of inBatches(rows)) {
        await tx.run(sql, JSON.stringify(batch.map((row) => plain(row))));
      }
      const want = sqlite.db.get(`SELECT count(*) AS n FROM ${table.name}`);
      const held = await tx.get(`SELECT count(*) AS n FROM "${table.name}"`);
      counts.set(table.name, equalCount(act, table, want, held));
    }
    await tx.run("UPDATE event_count SET last = (SELECT coalesce(max(seq), 0) FROM events)");
    return copied(counts, content.users);
  });
}

async function copyToSqlite(
  { dataDir, cluster }: Place,
  database: PostgresDatabase,
  act: string,
): Promise<Copied> {
  const name = await database.get("SELECT value FROM settings WHERE key = 'cluster_name'");
  if (name === null) {
    throw new OsError("backup-unusable", `${act}: there is none in the database`, {
      call: "copy",
      errno: "ENOENT",
    });
  }
  if (name["value"] !== cluster) throw foreign(act, String(name["value"]), cluster);
  const file = join(dataDir, STORE_FILE);
  const exists = new UsageError("backup-exists", `${act}: there is a file "${file}"`, {
    hint: "Move it away, with what begins with its name, if it is not wanted any more",
  });
  if (await Deno.lstat(file).then(() => true, () => false)) throw exists;
  await ensurePrivateDirectory(dataDir);
  const temporary = `${file}.${randomHex(6)}.tmp`;
  try {
    let result: Copied;
    {
      using sqlite = await openFile(temporary);
      result = await fill(sqlite.db, database, act);
    }
    const { uid, gid } = await Deno.stat(dataDir);
    if (Deno.uid() === 0 && uid !== null && gid !== null) await Deno.chown(temporary, uid, gid);
    {
      using written = await Deno.open(temporary, { read: true });
      await written.sync();
    }
    // A link is refused where a file is
    await Deno.link(temporary, file);
    using directory = await Deno.open(dataDir, { read: true });
    await directory.sync();
    return result;
  } catch (thrown) {
    throw thrown instanceof Deno.errors.AlreadyExists ? exists : thrown;
  } finally {
    for (const rest of ["", "-wal", "-shm"]) await Deno.remove(temporary + rest).catch(() => {});
  }
}

/** Fills an empty file. What was written stays there if it fails: the file is thrown away. */
async function fill(sqlite: Database, database: PostgresDatabase, act: string): Promise<Copied> {
  const counts = new Map<string, number>();
  await database.transaction(async (tx) => {
    for (const table of tablesOf(sqlite)) {
      const marks = table.columns.map(() => "?").join(", ");
      const sql = `INSERT INTO ${table.name} (${namesOf(table)}) VALUES (${marks})`;
      const cursor = `copying_${table.name}`;
      await tx.run(
        `DECLARE ${cursor} NO SCROLL CURSOR FOR SELECT ${namesOf(table)} FROM "${table.name}"` +
          orderOf(table),
      );
      for (;;) {
        const rows = await tx.all(`FETCH ${BATCH} FROM ${cursor}`);
        if (rows.length === 0) break;
        sqlite.transaction(() => {
          for (const row of rows) {
            sqlite.run(
              sql,
              ...table.columns.map(({ name, isNumber }) =>
                row[name] === null ? null : isNumber ? Number(row[name]) : String(row[name])
              ),
            );
          }
        });
      }
      await tx.run(`CLOSE ${cursor}`);
      const want = await tx.get(`SELECT count(*) AS n FROM "${table.name}"`);
      const held = sqlite.get(`SELECT count(*) AS n FROM ${table.name}`);
      counts.set(table.name, equalCount(act, table, want, held));
    }
  });
  const users = sqlite.get("SELECT count(*) AS n FROM resources WHERE kind = 'user'");
  return copied(counts, Number(users?.["n"]));
}

async function openFile(path: string) {
  const db = await Database.open(path);
  return { db, [Symbol.dispose]: () => db.close() };
}

function tablesOf(sqlite: Database): Table[] {
  const sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'" +
    " ORDER BY name";
  return sqlite.all(sql).map((row) => {
    const name = String(row["name"]);
    const all = sqlite.all("SELECT name, type, pk FROM pragma_table_info(?)", name)
      .map((column) => ({
        name: String(column["name"]),
        isNumber: column["type"] === "INTEGER",
        isKey: Number(column["pk"]) > 0,
      }));
    const number = all.find(({ isNumber, isKey }) => isNumber && isKey)?.name ?? null;
    // An `id` is given anew, in the same order
    const columns = all.filter((column) => column.name !== "id" || number !== "id");
    return { name, columns, number };
  });
}

function namesOf({ columns }: Table): string {
  return columns.map(({ name }) => `"${name}"`).join(", ");
}

function orderOf({ number }: Table): string {
  return number === null ? "" : ` ORDER BY ${number}`;
}

function* inBatches(rows: Iterable<Row>): Generator<Row[]> {
  let batch: Row[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** PostgreSQL has neither a NUL in a text nor half a character; only strangers wrote one, and it is kept nowhere else. */
function plain(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === "string" ? value.replaceAll("\0", "\u{fffd}").toWellFormed() : value,
    ]),
  );
}

function equalCount(act: string, { name }: Table, want: Row | null, held: Row | null): number {
  const [wanted, found] = [Number(want?.["n"]), Number(held?.["n"])];
  if (wanted === found) return found;
  throw new OsError(
    "backup-failed",
    `${act}: of ${wanted} rows of "${name}" ${found} are there; nothing is kept`,
    { call: "copy", errno: "EIO" },
  );
}

function copied(counts: ReadonlyMap<string, number>, users: number): Copied {
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return { tables: counts.size, rows, users };
}
